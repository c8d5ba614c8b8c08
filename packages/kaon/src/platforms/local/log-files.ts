import { join } from 'node:path'
import type { FileHandle, Files } from '../../base/system.ts'
import type { LogRecord } from '../../model/log-record.ts'

const chunkBytes = 64 * 1024
/** What one function's replicas of the past may keep, newest first. */
const keptFiles = 40
const keptBytes = 200 * 1024 * 1024

/** One replica's log: its current file, and those put aside, oldest first. */
export type ReplicaLog = { path: string; aside: string[] }

/** The logs in a function's folder, by replica. */
export async function listLogs(files: Pick<Files, 'readdir'>, folder: string): Promise<ReplicaLog[]> {
  const names = (await files.readdir(folder).catch(() => [] as string[])).filter((name) => /\.jsonl(\.\d+)?$/.test(name))
  const bases = [...new Set(names.map((name) => name.replace(/\.\d+$/, '')))]
  const age = (name: string) => Number(name.slice(name.lastIndexOf('.') + 1))
  return bases.map((base) => ({
    path: join(folder, base),
    aside: names
      .filter((name) => name.startsWith(`${base}.`))
      .sort((a, b) => age(b) - age(a))
      .map((name) => join(folder, name)),
  }))
}

/** Removes the oldest files beyond what a function may keep. */
export async function pruneLogs(files: Pick<Files, 'readdir' | 'stat' | 'rm'>, folder: string): Promise<void> {
  const names = await files.readdir(folder).catch(() => [] as string[])
  const stats = await Promise.all(
    names.map(async (name) => ({ path: join(folder, name), stat: await files.stat(join(folder, name)).catch(() => undefined) })),
  )
  let bytes = 0
  let count = 0
  for (const { path, stat } of stats.sort((a, b) => (b.stat?.mtimeMs ?? 0) - (a.stat?.mtimeMs ?? 0))) {
    bytes += stat?.size ?? 0
    if (++count > keptFiles || bytes > keptBytes) await files.rm(path, { force: true })
  }
}

/** Reads whole lines from an open file, from where it stopped the last time. A line that is not whole yet waits. */
export class LineReader {
  readonly handle: FileHandle
  #offset = 0
  #held = Buffer.alloc(0)

  constructor(handle: FileHandle) {
    this.handle = handle
  }

  /** The next records; undefined when there is nothing more for now. Lines that are no records are passed over: a full disk may have cut one. */
  async next(): Promise<LogRecord[] | undefined> {
    const buffer = Buffer.allocUnsafe(chunkBytes)
    const { bytesRead } = await this.handle.read(buffer, 0, chunkBytes, this.#offset)
    if (bytesRead === 0) return undefined
    this.#offset += bytesRead
    const bytes = Buffer.concat([this.#held, buffer.subarray(0, bytesRead)])
    const end = bytes.lastIndexOf(10) + 1
    this.#held = bytes.subarray(end)
    return bytes
      .toString('utf8', 0, end)
      .split('\n')
      .flatMap((line) => parseRecord(line) ?? [])
  }
}

function parseRecord(line: string): LogRecord | undefined {
  if (line === '') return undefined
  try {
    const record = JSON.parse(line) as LogRecord
    return typeof record.ts === 'string' && typeof record.msg === 'string' ? record : undefined
  } catch {
    return undefined
  }
}
