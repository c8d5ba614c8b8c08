import { createHash } from 'node:crypto'
import { delimiter, dirname, join } from 'node:path'
import { KaonError } from '../../base/errors.ts'
import { redactCredentials } from '../../base/redact-urls.ts'
import { runCommand } from '../../base/run-command.ts'
import { syncTree } from '../../base/sync-files.ts'
import type { System } from '../../base/system.ts'
import type { RuntimeBuild } from '../runtime.ts'
import { type PackageFiles, readPackage } from './build-package.ts'

const quotedLines = 15

export type InstallerDeps = Pick<System, 'clock' | 'random' | 'files' | 'processes'> & {
  /** What npm may see: PATH, HOME, its own settings, proxies. */
  environment: Readonly<Record<string, string>>
}

/** Sees to it that the author's folder has the node_modules that its lock file says, out of the cache where it was installed before. */
export async function installDependencies(build: RuntimeBuild, deps: InstallerDeps): Promise<void> {
  if (build.spec.build.dependencies === 'none') return
  const { files } = deps
  const packages = await readPackage(files, build.sourceFolder)
  if (packages === undefined) return
  const modules = join(build.sourceFolder, 'node_modules')
  await files.rm(modules, { recursive: true, force: true })
  // Packages of the author's own folder, and scripts that may do anything there, belong to this build alone.
  if (packages.usesLocalPackages || build.spec.build.scripts || !build.spec.build.cache) return runNpm(build.sourceFolder, build, deps)
  const settings = await registrySettings(deps, build.sourceFolder)
  const cached = join(build.cacheFolder, cacheKey(packages, settings))
  if (files.existsSync(cached)) {
    build.log('Dependencies: as installed before.')
    const now = deps.clock.now() / 1000
    await files.utimes(cached, now, now)
  } else await installInto(cached, packages, settings, build, deps)
  await files.symlink(join(cached, 'node_modules'), modules, 'dir')
}

/** Beside its place and then renamed, so that the place only ever holds a whole installation, whoever else installs the same. */
async function installInto(
  cached: string,
  packages: PackageFiles,
  settings: string,
  build: RuntimeBuild,
  deps: InstallerDeps,
): Promise<void> {
  const { files } = deps
  const folder = `${cached}.${deps.random.uuid()}`
  await files.mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    await files.writeFile(join(folder, 'package.json'), packages.manifestText)
    await files.writeFile(join(folder, packages.lockFile), packages.lockText)
    if (settings !== '') await files.writeFile(join(folder, '.npmrc'), settings, { mode: 0o600 })
    await runNpm(folder, build, deps)
    await files.mkdir(join(folder, 'node_modules'), { recursive: true })
    await files.rm(join(folder, '.npmrc'), { force: true })
    await syncTree(files, folder)
    await files.rename(folder, cached)
  } catch (error) {
    await files.rm(folder, { recursive: true, force: true })
    if (!files.existsSync(cached)) throw error
  }
}

function cacheKey(packages: PackageFiles, settings: string): string {
  const hash = createHash('sha256')
  const machine = `${process.platform} ${process.arch} ${process.versions.node.split('.')[0]}`
  for (const part of [machine, packages.manifestText, packages.lockText, settings]) hash.update(`${part.length}:${part}`)
  return hash.digest('hex')
}

/** Of the author's .npmrc only what says where packages come from: other settings can name programs to run. */
async function registrySettings({ files }: Pick<InstallerDeps, 'files'>, folder: string): Promise<string> {
  const path = join(folder, '.npmrc')
  if (!files.existsSync(path)) return ''
  const lines = (await files.readFile(path, 'utf8')).split(/\r?\n/)
  return lines.filter((line) => /^\s*(registry|@[\w.-]+:registry|\/\/[^=]+)\s*=/.test(line)).join('\n')
}

async function runNpm(folder: string, build: RuntimeBuild, deps: InstallerDeps): Promise<void> {
  const settings = await registrySettings(deps, folder)
  if (deps.files.existsSync(join(folder, '.npmrc'))) await deps.files.writeFile(join(folder, '.npmrc'), settings)
  const scripts = build.spec.build.scripts ? [] : ['--ignore-scripts']
  const args = ['ci', ...scripts, '--omit=dev', '--no-audit', '--no-fund', '--no-progress', '--no-update-notifier', '--color=false']
  const last: string[] = []
  // After its reason npm prints how it is used, which helps nobody here.
  let isHelp = false
  build.log(`Dependencies: npm ${args.slice(0, 2).join(' ')} …`)
  const end = await runCommand(
    {
      program: 'npm',
      args,
      folder,
      // npm itself is a script that runs with the first `node` of the path: the platform's own.
      environment: {
        ...deps.environment,
        PATH: [dirname(deps.processes.nodePath), deps.environment['PATH']].filter(Boolean).join(delimiter),
      },
      signal: build.signal,
      onLine(line) {
        const text = redactCredentials(line)
        build.log(`npm: ${text}`)
        if (/^npm error Clean install a project/.test(text)) isHelp = true
        if (isHelp || /^npm error( A complete log of this run.*)?$/.test(text)) return
        last.push(text.replace(/^npm error /, ''))
        if (last.length > quotedLines) last.shift()
      },
    },
    deps,
  )
  if ('missing' in end)
    throw new KaonError('dependencies_failed', 'npm was not found, and the dependencies cannot be installed without it.', {
      hint: 'Install npm, or bundle the function before deploying it.',
    })
  if (end.code !== 0)
    throw new KaonError('dependencies_failed', `'npm ci' failed with exit code ${end.code}:\n${last.join('\n')}`, {
      hint: "Run 'npm ci' in the function's folder to see the same.",
    })
}
