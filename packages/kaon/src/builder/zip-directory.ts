import { KaonError } from '../base/errors.ts'
import type { FileHandle } from '../base/system.ts'
import { archiveLimits } from './archive-entry.ts'

// Layout: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (its end).
const localSignature = 0x04034b50
const centralSignature = 0x02014b50
const endSignature = 0x06054b50
const endBytes = 22
const longestComment = 65_535

export type ZipRecord = {
  name: string
  method: number
  crc: number
  packedBytes: number
  unpackedBytes: number
  /** Unix mode with its file type; 0 when the archive was made elsewhere. */
  unixMode: number
  /** Where the packed bytes begin. */
  start: number
}

/** What the central directory lists, each checked against its local header: two readers of one archive must not see two things. */
export async function readZipDirectory(handle: FileHandle, size: number): Promise<ZipRecord[]> {
  const { count, offset, bytes } = findEnd(
    await readAt(handle, Math.max(0, size - endBytes - longestComment), Math.min(size, endBytes + longestComment)),
  )
  if (count > archiveLimits.entries) throw new KaonError('archive_too_large', `The archive has more than ${archiveLimits.entries} entries.`)
  if (offset + bytes > size) throw damaged('its directory is not where it should be')
  const directory = await readAt(handle, offset, bytes)
  const records: ZipRecord[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== centralSignature) throw damaged('its directory is cut off')
    const lengths = [28, 30, 32].map((field) => directory.readUInt16LE(at + field)) as [number, number, number]
    const end = at + 46 + lengths[0] + lengths[1] + lengths[2]
    if (end > directory.length) throw damaged('its directory is cut off')
    records.push(await readRecord(handle, directory.subarray(at, end), lengths[0], offset))
    at = end
  }
  refuseOverlaps(records)
  return records
}

function findEnd(tail: Buffer): { count: number; offset: number; bytes: number } {
  for (let at = tail.length - endBytes; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== endSignature || at + endBytes + tail.readUInt16LE(at + 20) !== tail.length) continue
    const [disk, count, total] = [tail.readUInt16LE(at + 4), tail.readUInt16LE(at + 8), tail.readUInt16LE(at + 10)]
    const [bytes, offset] = [tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)]
    if (disk !== 0 || count !== total) throw damaged('it is one part of several')
    if (count === 0xffff || bytes === 0xffffffff || offset === 0xffffffff)
      throw damaged('it is in the zip64 format, which is for larger archives')
    return { count, offset, bytes }
  }
  throw damaged('its directory is missing')
}

async function readRecord(handle: FileHandle, entry: Buffer, nameBytes: number, limit: number): Promise<ZipRecord> {
  const rawName = entry.subarray(46, 46 + nameBytes)
  const name = rawName.toString('utf8')
  const flags = entry.readUInt16LE(8)
  if ((flags & 0x41) !== 0) throw damaged(`'${name}' is encrypted`)
  const local = entry.readUInt32LE(42)
  const packedBytes = entry.readUInt32LE(20)
  const header = await readAt(handle, local, 30)
  if (header.length < 30 || header.readUInt32LE(0) !== localSignature) throw damaged(`'${name}' is not where the directory says`)
  const localName = await readAt(handle, local + 30, header.readUInt16LE(26))
  if (!localName.equals(rawName) || header.readUInt16LE(8) !== entry.readUInt16LE(10)) throw damaged(`the two headers of '${name}' differ`)
  const start = local + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
  if (start + packedBytes > limit) throw damaged(`'${name}' reaches into the directory`)
  const madeOnUnix = [3, 19].includes(entry.readUInt8(5))
  return {
    name,
    method: entry.readUInt16LE(10),
    crc: entry.readUInt32LE(16),
    packedBytes,
    unpackedBytes: entry.readUInt32LE(24),
    unixMode: madeOnUnix ? entry.readUInt32LE(38) >>> 16 : 0,
    start,
  }
}

/** Entries that share their bytes make an archive of kilobytes unpack to petabytes. */
function refuseOverlaps(records: readonly ZipRecord[]): void {
  const ordered = records.toSorted((a, b) => a.start - b.start)
  for (const [i, record] of ordered.entries()) {
    const next = ordered[i + 1]
    if (next !== undefined && record.start + record.packedBytes > next.start) throw damaged(`'${record.name}' and '${next.name}' overlap`)
  }
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await handle.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}

export function damaged(what: string): KaonError {
  return new KaonError('archive_unsafe', `The zip archive was not unpacked: ${what}.`)
}
