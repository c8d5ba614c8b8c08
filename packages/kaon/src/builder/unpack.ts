import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { isKaonError, KaonError } from '../base/errors.ts'
import type { Files } from '../base/system.ts'
import { type ArchiveEntry, archiveLimits } from './archive-entry.ts'
import { ArchiveGuard } from './archive-guard.ts'
import { tarEntries } from './tar-entries.ts'
import { zipEntries } from './zip-entries.ts'

type UnpackFiles = Pick<Files, 'open' | 'mkdir' | 'symlink' | 'stat' | 'createReadStream'>

/**
 * Unpacks a tar, tar.gz or zip into an empty folder that nobody else writes to. Throws `archive_unsafe` or `archive_too_large` with the entry at fault;
 * what is in the folder then is to be thrown away.
 */
export async function unpackArchive(files: UnpackFiles, archive: string, folder: string, signal: AbortSignal): Promise<void> {
  const { size } = await files.stat(archive)
  if (size > archiveLimits.packedBytes)
    throw new KaonError('archive_too_large', `Archives may have ${archiveLimits.packedBytes} bytes; this has ${size}.`)
  const guard = new ArchiveGuard(size)
  try {
    await writeEntries(files, await openArchive(files, archive, guard), folder, guard, signal)
  } catch (error) {
    signal.throwIfAborted()
    const isOfDisk = error instanceof Error && 'syscall' in error
    if (isKaonError(error) || isOfDisk) throw error
    throw new KaonError('archive_unsafe', `The archive was not unpacked, since it is damaged: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** Told apart by their first bytes. */
async function openArchive(files: UnpackFiles, archive: string, guard: ArchiveGuard): Promise<AsyncGenerator<ArchiveEntry>> {
  const first = await firstBytes(files, archive)
  if (first.length === 0) throw new KaonError('source_missing', 'The archive is empty.')
  if (first.readUInt16BE(0) === 0x504b) return counted(zipEntries(files, archive), guard)
  const packed = files.createReadStream(archive)
  const isGzip = first.readUInt16BE(0) === 0x1f8b
  // A tar's headers count too: a million of them are as good a bomb as a file of zeroes.
  return tarEntries(countBytes(isGzip ? Readable.from(gunzip(packed)) : packed, guard))
}

async function* gunzip(packed: Readable): AsyncGenerator<Uint8Array> {
  const unpacked = createGunzip()
  packed.once('error', (error) => unpacked.destroy(error))
  try {
    yield* packed.pipe(unpacked) as AsyncIterable<Buffer>
  } finally {
    packed.destroy()
  }
}

async function* countBytes(bytes: AsyncIterable<Uint8Array>, guard: ArchiveGuard): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    guard.count(chunk.length)
    yield chunk
  }
}

async function* counted(entries: AsyncGenerator<ArchiveEntry>, guard: ArchiveGuard): AsyncGenerator<ArchiveEntry> {
  for await (const entry of entries) yield entry.kind === 'file' ? { ...entry, content: countBytes(entry.content, guard) } : entry
}

async function firstBytes(files: UnpackFiles, archive: string): Promise<Buffer> {
  const handle = await files.open(archive, 'r')
  try {
    const buffer = Buffer.alloc(4)
    const { bytesRead } = await handle.read(buffer, 0, 4, 0)
    return bytesRead < 4 ? Buffer.alloc(0) : buffer
  } finally {
    await handle.close()
  }
}

/** Links come last: until then there is none that a path could go through. */
async function writeEntries(
  files: UnpackFiles,
  entries: AsyncGenerator<ArchiveEntry>,
  folder: string,
  guard: ArchiveGuard,
  signal: AbortSignal,
): Promise<void> {
  const links: { path: string; target: string }[] = []
  const made = new Set<string>()
  const makeFolder = async (path: string) => {
    if (made.has(path)) return
    await files.mkdir(path, { recursive: true, mode: 0o755 })
    made.add(path)
  }
  await makeFolder(folder)
  for await (const entry of entries) {
    signal.throwIfAborted()
    const relative = guard.admit(entry)
    if (relative === undefined) continue
    const path = join(folder, relative)
    if (entry.kind === 'directory') await makeFolder(path)
    if (entry.kind === 'symlink') links.push({ path, target: entry.target })
    if (entry.kind !== 'file') continue
    await makeFolder(dirname(path))
    await writeNewFile(files, path, entry)
  }
  for (const { path, target } of links) {
    await makeFolder(dirname(path))
    await files.symlink(target, path)
  }
}

async function writeNewFile(files: UnpackFiles, path: string, entry: ArchiveEntry & { kind: 'file' }): Promise<void> {
  // O_EXCL: a file that is there, or a link in its place, is an error and never written through.
  const handle = await files.open(path, 'wx', (entry.mode & 0o111) === 0 ? 0o644 : 0o755)
  try {
    for await (const chunk of entry.content) await handle.writeFile(chunk)
  } finally {
    await handle.close()
  }
}
