import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { packTar, type TarEntry } from 'modern-tar'
import { KaonError } from '../../base/errors.ts'
import type { System } from '../../base/system.ts'
import { builtInIgnores, type IgnoreRules, parseIgnoreRules } from './ignore-rules.ts'

export type Archive = { body: Uint8Array; digest: string; files: number; bytes: number }
type Files = Pick<System['files'], 'readFile' | 'readdir' | 'stat' | 'realpath'>
type Entry = { name: string; path: string; sizeBytes: number; isExecutable: boolean }

export const maxSourceBytes = 100 * 1000 * 1000
const maxFiles = 20_000
/** Below this a tar goes as it is: packing it would cost more than sending it. */
const gzipFromBytes = 128 * 1024
// biome-ignore lint/style/noRestrictedGlobals: a fixed moment, so that the same files make the same archive
const noTime = new Date(0)

/** One file as an archive. */
export async function packFile(files: Files, path: string): Promise<Archive> {
  const { size, mode } = await files.stat(path)
  return pack(files, [{ name: path.slice(path.lastIndexOf('/') + 1), path, sizeBytes: size, isExecutable: (mode & 0o111) !== 0 }])
}

/**
 * A folder as an archive, the same bytes for the same files, without what `.kaonignore` and the built-in rules leave out.
 * Links are followed where they stay inside; one that leads out throws `archive_unsafe`. More than 100 MB throws `archive_too_large`.
 */
export async function packFolder(files: Files, folder: string): Promise<Archive> {
  const entries: Entry[] = []
  const root = await files.realpath(folder)
  await collect({ files, root, entries, isIgnored: await readIgnoreRules(files, folder) }, folder, '', new Set([root]))
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  return pack(files, entries)
}

/** The built-in rules and those of the folder's `.kaonignore`. */
export async function readIgnoreRules(files: Pick<Files, 'readFile'>, folder: string): Promise<IgnoreRules> {
  const own = await files.readFile(`${folder}/.kaonignore`, 'utf8').catch(() => '')
  return parseIgnoreRules([...builtInIgnores, ...own.split('\n')])
}

type Collecting = { files: Files; root: string; entries: Entry[]; isIgnored: IgnoreRules }

async function collect(collecting: Collecting, folder: string, prefix: string, above: ReadonlySet<string>): Promise<void> {
  const { files, root, entries, isIgnored } = collecting
  for (const item of await files.readdir(folder, { withFileTypes: true })) {
    const name = `${prefix}${item.name}`
    const path = `${folder}/${item.name}`
    if (isIgnored(name, item.isDirectory())) continue
    const real = item.isSymbolicLink() ? await realPathWithin(files, root, path, name) : path
    const stat = await files.stat(real)
    if (item.isSymbolicLink() && isIgnored(name, stat.isDirectory())) continue
    if (stat.isDirectory()) {
      const resolved = await files.realpath(real)
      if (above.has(resolved))
        throw new KaonError('archive_unsafe', `Take the link '${name}' out of the source: it leads back into itself.`)
      await collect(collecting, real, `${name}/`, new Set([...above, resolved]))
    } else if (stat.isFile()) entries.push({ name, path: real, sizeBytes: stat.size, isExecutable: (stat.mode & 0o111) !== 0 })
    if (entries.length > maxFiles)
      throw new KaonError('archive_too_large', `'${folder}' holds more than ${maxFiles} files.`, {
        hint: "Leave out what the function does not need in a '.kaonignore'.",
      })
  }
}

async function realPathWithin(files: Files, root: string, path: string, name: string): Promise<string> {
  const real = await files.realpath(path).catch(() => undefined)
  if (real === undefined) throw new KaonError('archive_unsafe', `Mend the link '${name}' in the source: it leads nowhere.`)
  if (real !== root && !real.startsWith(`${root}/`))
    throw new KaonError('archive_unsafe', `Take the link '${name}' out of the source: it leads outside, to '${real}'.`, {
      hint: "Copy the file into the folder, or leave the link out in a '.kaonignore'.",
    })
  return real
}

async function pack(files: Files, entries: readonly Entry[]): Promise<Archive> {
  const bytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  if (bytes > maxSourceBytes) {
    const largest = [...entries].sort((a, b) => b.sizeBytes - a.sizeBytes)[0] as Entry
    throw new KaonError(
      'archive_too_large',
      `The source is ${bytes} bytes; at most ${maxSourceBytes} can be uploaded. The largest file is '${largest.name}'.`,
      {
        hint: "Leave out what the function does not need in a '.kaonignore'.",
      },
    )
  }
  const packed: TarEntry[] = []
  for (const { name, path, isExecutable } of entries) {
    // Read anew: a file may have grown since it was counted.
    const body = await files.readFile(path)
    packed.push({
      header: { name, size: body.length, mode: isExecutable ? 0o755 : 0o644, mtime: noTime, uid: 0, gid: 0, type: 'file' },
      body,
    })
  }
  const tar = await packTar(packed)
  const body = tar.length < gzipFromBytes ? tar : gzipSync(tar, { level: 6 })
  return { body, digest: `sha256:${createHash('sha256').update(body).digest('hex')}`, files: entries.length, bytes }
}
