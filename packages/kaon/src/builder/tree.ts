import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { KaonError } from '../base/errors.ts'
import type { Files } from '../base/system.ts'
import { checkLinkTarget } from './archive-guard.ts'

const filesAtOnce = 8
/** Larger files are hashed piece by piece. */
const wholeBytes = 1_048_576

export type TreeEntry = { path: string } & (
  | { kind: 'file'; executable: boolean; bytes: number; sha256: string }
  | { kind: 'directory' }
  | { kind: 'symlink'; target: string }
)

type TreeFiles = Pick<Files, 'readdir' | 'lstat' | 'readFile' | 'readlink' | 'createReadStream'>

/** Everything in a folder with its checksum, in the order of its paths. Throws `archive_unsafe` for a link that leaves the folder and for special files. */
export async function listTree(files: TreeFiles, folder: string): Promise<TreeEntry[]> {
  const paths = await listPaths(files, folder, '')
  const entries: TreeEntry[] = []
  const queue = paths[Symbol.iterator]()
  const work = async () => {
    for (const path of queue) entries.push(await describe(files, folder, path))
  }
  await Promise.all(Array.from({ length: filesAtOnce }, work))
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** The entries as text, a line each: what digests are made of. */
export function treeLines(entries: readonly TreeEntry[]): string[] {
  return entries.map((entry) => {
    const path = JSON.stringify(entry.path)
    if (entry.kind === 'directory') return `directory ${path}`
    if (entry.kind === 'symlink') return `symlink ${path} ${JSON.stringify(entry.target)}`
    return `file ${entry.executable ? '755' : '644'} ${entry.bytes} ${entry.sha256} ${path}`
  })
}

async function listPaths(files: TreeFiles, folder: string, below: string): Promise<string[]> {
  const entries = await files.readdir(join(folder, below), { withFileTypes: true })
  const paths: string[] = []
  for (const entry of entries) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    paths.push(path)
    if (entry.isDirectory()) paths.push(...(await listPaths(files, folder, path)))
  }
  return paths
}

async function describe(files: TreeFiles, folder: string, path: string): Promise<TreeEntry> {
  const full = join(folder, path)
  const stat = await files.lstat(full)
  if (stat.isDirectory()) return { path, kind: 'directory' }
  if (stat.isSymbolicLink()) {
    const target = await files.readlink(full)
    checkLinkTarget(path, path.split('/').length - 1, target)
    return { path, kind: 'symlink', target }
  }
  if (!stat.isFile()) throw new KaonError('archive_unsafe', `'${path}' is neither a file nor a folder nor a link.`)
  return { path, kind: 'file', executable: (stat.mode & 0o100) !== 0, bytes: stat.size, sha256: await hashFile(files, full, stat.size) }
}

export async function hashFile(files: Pick<Files, 'readFile' | 'createReadStream'>, path: string, bytes: number): Promise<string> {
  const hash = createHash('sha256')
  if (bytes <= wholeBytes) hash.update(await files.readFile(path))
  else for await (const chunk of files.createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk)
  return hash.digest('hex')
}
