import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, createInflateRaw } from 'node:zlib'
import type { Files } from '../base/system.ts'
import { type ArchiveEntry, archiveLimits } from './archive-entry.ts'
import { damaged, readZipDirectory, type ZipRecord } from './zip-directory.ts'

const stored = 0
const deflated = 8
const fileTypes = new Map<number, 'file' | 'directory' | 'symlink'>([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
])

/** The entries of a zip file, in the order of its directory. */
export async function* zipEntries(files: Pick<Files, 'open' | 'createReadStream'>, archive: string): AsyncGenerator<ArchiveEntry> {
  const handle = await files.open(archive, 'r')
  let records: ZipRecord[]
  try {
    records = await readZipDirectory(handle, (await handle.stat()).size)
  } finally {
    await handle.close()
  }
  for (const record of records) yield await toEntry(files, archive, record)
}

async function toEntry(files: Pick<Files, 'createReadStream'>, archive: string, record: ZipRecord): Promise<ArchiveEntry> {
  const { name } = record
  const type = record.unixMode & 0o170000
  const kind = name.endsWith('/') ? 'directory' : type === 0 ? 'file' : fileTypes.get(type)
  const mode = record.unixMode & 0o777 || 0o644
  switch (kind) {
    case 'directory':
      return { name, mode, kind }
    case 'file':
      return { name, mode, kind, content: contentOf(files, archive, record) }
    case 'symlink':
      return { name, mode, kind, target: await targetOf(files, archive, record) }
    case undefined:
      return { name, mode, kind: 'other', what: 'special file' }
  }
}

/** Unpacked as it is read; throws `archive_unsafe` when size or CRC differ from the directory's. */
async function* contentOf(files: Pick<Files, 'createReadStream'>, archive: string, record: ZipRecord): AsyncGenerator<Uint8Array> {
  if (record.method !== stored && record.method !== deflated)
    throw damaged(`'${record.name}' is packed by method ${record.method}, not by deflate`)
  let crc = 0
  let bytes = 0
  if (record.packedBytes > 0) {
    const packed = files.createReadStream(archive, { start: record.start, end: record.start + record.packedBytes - 1 })
    const unpacked = record.method === stored ? new PassThrough() : createInflateRaw()
    const piped = pipeline(packed, unpacked)
    piped.catch(() => {}) // The same error comes out of `unpacked`.
    for await (const chunk of unpacked as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > record.unpackedBytes) throw damaged(`'${record.name}' is larger than it says`)
      crc = crc32(chunk, crc)
      yield chunk
    }
    await piped
  }
  if (bytes !== record.unpackedBytes || crc !== record.crc) throw damaged(`'${record.name}' is damaged: its size or checksum is wrong`)
}

async function targetOf(files: Pick<Files, 'createReadStream'>, archive: string, record: ZipRecord): Promise<string> {
  if (record.unpackedBytes > archiveLimits.pathBytes) throw damaged(`'${record.name}' is a symbolic link with too long a target`)
  const parts: Uint8Array[] = []
  for await (const part of contentOf(files, archive, record)) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}
