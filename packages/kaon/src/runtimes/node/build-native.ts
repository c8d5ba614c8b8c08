import type { Files } from '../../base/system.ts'

type LockedPackage = { optionalDependencies?: Record<string, string> }

/**
 * Packages of a node_modules folder that cannot be bundled, since they load machine code from files beside them: those with a `*.node` file
 * or a `binding.gyp`, the top-level package that such a one is nested in, and those that choose one for the machine among their optional
 * dependencies. Sorted.
 */
export async function findNativePackages(files: Pick<Files, 'readdir' | 'readFile' | 'existsSync'>, modules: string): Promise<string[]> {
  if (!files.existsSync(modules)) return []
  const paths = await files.readdir(modules, { recursive: true })
  const native = new Set(paths.filter((path) => /\.node$|(^|[\\/])binding\.gyp$/.test(path)).map(topPackage))
  for (const [path, locked] of await lockedPackages(files, modules)) {
    const chooses = Object.keys(locked.optionalDependencies ?? {}).some((name) => native.has(name))
    if (chooses) native.add(topPackage(path.replace(/^node_modules\//, '')))
  }
  return [...native].sort()
}

/** npm leaves a list of what it installed. */
async function lockedPackages(files: Pick<Files, 'readFile'>, modules: string): Promise<[string, LockedPackage][]> {
  try {
    const lock = JSON.parse(await files.readFile(`${modules}/.package-lock.json`, 'utf8')) as { packages?: Record<string, LockedPackage> }
    return Object.entries(lock.packages ?? {})
  } catch {
    return []
  }
}

function topPackage(path: string): string {
  const parts = path.split(/[\\/]/)
  return parts.slice(0, parts[0]?.startsWith('@') ? 2 : 1).join('/')
}
