import { KaonError } from '../../base/errors.ts'
import type { Files } from '../../base/system.ts'

/** The part of the author's package.json and npm lock file that decides what is installed. */
export type PackageFiles = {
  manifestText: string
  lockFile: string
  lockText: string
  /** Whether something is installed from the author's own folder, as `file:../x` or a workspace is. */
  usesLocalPackages: boolean
}

const npmLocks = ['npm-shrinkwrap.json', 'package-lock.json'] as const
const foreignLocks = { 'yarn.lock': 'yarn', 'pnpm-lock.yaml': 'pnpm', 'bun.lock': 'bun', 'bun.lockb': 'bun' }
/** Comes with the platform, so it is no reason to install anything. */
const provided = '@kaon/sdk'

/** What there is to install; undefined when that is nothing. Throws `lock_file_missing` for dependencies without npm's lock file. */
export async function readPackage(files: Pick<Files, 'readFile' | 'existsSync'>, folder: string): Promise<PackageFiles | undefined> {
  const manifestPath = `${folder}/package.json`
  if (!files.existsSync(manifestPath)) return undefined
  const manifestText = await files.readFile(manifestPath, 'utf8')
  const manifest = parseJson(manifestText, 'package.json')
  const wanted = ['dependencies', 'optionalDependencies'].flatMap((field) => Object.keys(objectField(manifest, field)))
  if (wanted.filter((name) => name !== provided).length === 0) return undefined
  const lockFile = npmLocks.find((name) => files.existsSync(`${folder}/${name}`))
  if (lockFile === undefined) throw lockMissing(Object.entries(foreignLocks).find(([name]) => files.existsSync(`${folder}/${name}`)))
  const lockText = await files.readFile(`${folder}/${lockFile}`, 'utf8')
  const lock = parseJson(lockText, lockFile)
  const usesLocalPackages = Object.values(objectField(lock, 'packages')).some(isLocal)
  return { manifestText, lockFile, lockText, usesLocalPackages }
}

function lockMissing(foreign: [file: string, tool: string] | undefined): KaonError {
  const hint = "Run 'npm install --package-lock-only' beside package.json and deploy again with the package-lock.json that it writes."
  return foreign === undefined
    ? new KaonError('lock_file_missing', 'package.json names dependencies, but there is no package-lock.json to say which versions.', {
        hint,
      })
    : new KaonError(
        'lock_file_missing',
        `'${foreign[0]}' of ${foreign[1]} is not read: dependencies are installed from npm's package-lock.json.`,
        { hint },
      )
}

function parseJson(text: string, name: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch (cause) {
    throw new KaonError('build_failed', `${name} is not JSON: ${(cause as Error).message}`, { cause })
  }
  throw new KaonError('build_failed', `${name} must hold a JSON object.`)
}

function objectField(value: Record<string, unknown>, field: string): Record<string, unknown> {
  const inner = value[field]
  return typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {}
}

function isLocal(entry: unknown): boolean {
  const { link, resolved } = entry as { link?: unknown; resolved?: unknown }
  return link === true || (typeof resolved === 'string' && resolved.startsWith('file:'))
}
