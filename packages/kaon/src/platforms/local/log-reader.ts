import { isLogged } from '../../base/log.ts'
import type { Clock, Files } from '../../base/system.ts'
import { parseTime } from '../../base/time.ts'
import type { LogRecord } from '../../model/log-record.ts'
import type { LogQuery } from '../platform.ts'
import { LineReader, listLogs } from './log-files.ts'

const pollMs = 200

export type LogReaderDeps = { clock: Pick<Clock, 'sleep'>; files: Pick<Files, 'open' | 'readdir' | 'stat'>; folder: string }

/** A function's log out of the files of all its replicas, in the order of time. */
export async function* readLogs(deps: LogReaderDeps, query: LogQuery): AsyncGenerator<LogRecord> {
  const followed = new Map<string, FollowedLog>()
  try {
    const past = mergeByTime(await openLogs(deps, followed))
    const wanted = filter(past, query)
    if (query.tail === undefined) yield* wanted
    else yield* await lastOf(wanted, query.tail)
    while (query.follow && !query.signal.aborted) {
      await deps.clock.sleep(pollMs, query.signal).catch(() => undefined)
      if (query.signal.aborted) return
      // Records of one look are put in order; between looks they come as they come.
      const records: LogRecord[] = []
      for (const stream of await openLogs(deps, followed)) for await (const record of stream) records.push(record)
      records.sort((a, b) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0))
      yield* filter(records, query)
    }
  } finally {
    for (const log of followed.values()) await log.close()
  }
}

/** One replica's log, read on through its rotations: the open file keeps its name's change. */
class FollowedLog {
  readonly #deps: LogReaderDeps
  readonly #path: string
  #aside: string[]
  #reader: LineReader | undefined

  constructor(deps: LogReaderDeps, path: string, aside: string[]) {
    this.#deps = deps
    this.#path = path
    this.#aside = aside
  }

  /** What is there and was not read yet. */
  async *read(): AsyncGenerator<LogRecord> {
    for (let path = this.#aside.shift(); path !== undefined; path = this.#aside.shift()) {
      const handle = await this.#deps.files.open(path, 'r').catch(() => undefined)
      if (handle === undefined) continue
      this.#reader = new LineReader(handle)
      yield* this.#drain()
      await this.close()
    }
    this.#reader ??= await this.#open()
    yield* this.#drain()
    if (this.#reader !== undefined && (await this.#wasRotated())) {
      // Lines may have come between the last read and the rotation.
      yield* this.#drain()
      await this.close()
      this.#reader = await this.#open()
      yield* this.#drain()
    }
  }

  async close(): Promise<void> {
    const reader = this.#reader
    this.#reader = undefined
    await reader?.handle.close().catch(() => undefined)
  }

  async *#drain(): AsyncGenerator<LogRecord> {
    for (let records = await this.#reader?.next(); records !== undefined; records = await this.#reader?.next()) yield* records
  }

  async #open(): Promise<LineReader | undefined> {
    const handle = await this.#deps.files.open(this.#path, 'r').catch(() => undefined)
    return handle && new LineReader(handle)
  }

  async #wasRotated(): Promise<boolean> {
    const [now, open] = await Promise.all([this.#deps.files.stat(this.#path).catch(() => undefined), this.#reader?.handle.stat()])
    return now !== undefined && now.ino !== open?.ino
  }
}

/** A stream of unread records for each log in the folder, those of new replicas included. */
async function openLogs(deps: LogReaderDeps, followed: Map<string, FollowedLog>): Promise<AsyncGenerator<LogRecord>[]> {
  for (const { path, aside } of await listLogs(deps.files, deps.folder))
    if (!followed.has(path)) followed.set(path, new FollowedLog(deps, path, aside))
  return [...followed.values()].map((log) => log.read())
}

async function* mergeByTime(streams: AsyncGenerator<LogRecord>[]): AsyncGenerator<LogRecord> {
  const heads: { stream: AsyncGenerator<LogRecord>; record: LogRecord }[] = []
  const pull = async (stream: AsyncGenerator<LogRecord>) => {
    const { value, done } = await stream.next()
    if (!done) heads.push({ stream, record: value })
  }
  for (const stream of streams) await pull(stream)
  while (heads.length > 0) {
    let first = 0
    for (let i = 1; i < heads.length; i++) if (heads[i]!.record.ts < heads[first]!.record.ts) first = i
    const [{ stream, record }] = heads.splice(first, 1) as [(typeof heads)[number]]
    yield record
    await pull(stream)
  }
}

async function* filter(records: AsyncIterable<LogRecord> | Iterable<LogRecord>, query: LogQuery): AsyncGenerator<LogRecord> {
  for await (const record of records) {
    if (query.signal.aborted) return
    if (query.revision !== undefined && record.revision !== query.revision) continue
    if (query.level !== undefined && !isLogged(record.level, query.level)) continue
    if (query.sinceMs !== undefined && parseTime(record.ts) < query.sinceMs) continue
    yield record
  }
}

async function lastOf(records: AsyncIterable<LogRecord>, count: number): Promise<LogRecord[]> {
  const last: LogRecord[] = []
  for await (const record of records) {
    last.push(record)
    if (last.length > count) last.shift()
  }
  return last
}
