import type { KaonError } from '../base/errors.ts'
import type { Clock } from '../base/system.ts'
import type { Resource, Stored } from '../model/metadata.ts'
import { WatchBacklog } from './sqlite-backlog.ts'
import { SqliteLink } from './sqlite-link.ts'
import type { EventRow, GetAnswer, HistoryAnswer, HistoryLimits, ListAnswer, ObjectRow } from './sqlite-messages.ts'
import { type WatchLimits, WatchQueue } from './sqlite-watch.ts'
import type { ListQuery, ListResult, ObjectKey, Store, WatchEvent, WatchQuery, Write } from './store.ts'

export type SqliteStoreOptions = {
  /** The database file; made with its folder when it is not there. */
  file: string
  clock: Pick<Clock, 'now' | 'every'>
  /** Called once when the store's thread is gone for good; every call fails from then on. */
  onLost?: (error: KaonError) => void
  /** Called with the reason when writes begin to be refused (a full disk, mostly), and with nothing when they are taken again. */
  onWritable?: (refusal: KaonError | undefined) => void
  /** The file of the store's thread, where it was bundled to another place. */
  thread?: URL
  /** What watches can replay. Default: 10,000 events, an hour, 128 MiB. */
  history?: Partial<HistoryLimits>
  /** The file's largest size; beyond it writes fail with `data_full`. Default: 8 GiB. */
  maxBytes?: number
  /** What a watcher may leave waiting before it ends with `expired`. Default: 2000 events and 16 MiB, all watches together 128 MiB. */
  watchLimits?: Partial<WatchLimits>
}

const bookmarkPeriodMs = 30_000
const historyPageSize = 500
const defaultHistory: HistoryLimits = { maxEvents: 10_000, maxAgeMs: 3_600_000, maxBytes: 128 * 1024 * 1024 }
const defaultWatchLimits: WatchLimits = { events: 2000, size: 16 * 1024 * 1024, sizeInAll: 128 * 1024 * 1024 }

/**
 * State in one SQLite file, in a thread of its own. A write is answered when it is on the disk; writes that arrive together share one fsync.
 * Where the disk is full an existing file is opened for reading, and writes fail with `data_full` until there is room.
 * Rejects with `data_read_only`, `data_full`, `data_locked`, `data_newer` or `store_unavailable` (a damaged file) when it cannot be opened.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const store = new SqliteStore(options)
  await store.opened()
  return store
}

class SqliteStore implements Store {
  readonly #link: SqliteLink
  readonly #watchLimits: WatchLimits
  readonly #backlog = new WatchBacklog()
  readonly #watchers = new Set<WatchQueue>()
  readonly #bookmarks: { cancel(): void }
  /** Watchers were told of everything up to here. */
  #published = 0

  constructor({ file, clock, thread, history, maxBytes = 8 * 1024 ** 3, watchLimits, onLost, onWritable }: SqliteStoreOptions) {
    this.#watchLimits = { ...defaultWatchLimits, ...watchLimits }
    this.#link = new SqliteLink({
      thread: thread ?? new URL('./sqlite-thread.ts', import.meta.url),
      settings: { file, maxBytes, history: { ...defaultHistory, ...history } },
      clock,
      onEvents: (events) => this.#publish(events),
      onWritable: (refusal) => onWritable?.(refusal),
      onLost: (error) => {
        this.#endWatches(error)
        onLost?.(error)
      },
    })
    this.#bookmarks = clock.every(bookmarkPeriodMs, () => this.#bookmark(), { idle: true })
  }

  async opened(): Promise<void> {
    try {
      this.#published = await this.#link.opened
    } catch (error) {
      await this[Symbol.asyncDispose]()
      throw error
    }
  }

  async get(key: ObjectKey): Promise<Stored | undefined> {
    const row = await this.#link.read<GetAnswer>({ kind: 'get', key })
    return row === undefined ? undefined : storedOf(row)
  }

  async list(query: ListQuery): Promise<ListResult> {
    const { rows, version, continueFrom } = await this.#link.read<ListAnswer>({ kind: 'list', ...query })
    return { items: rows.map(storedOf), resourceVersion: String(version), ...(continueFrom === undefined ? {} : { continueFrom }) }
  }

  async write(write: Write): Promise<Stored> {
    if (write.kind === 'delete') return storedOf(await this.#link.write(write))
    const { object, ...rest } = write
    return storedOf(await this.#link.write({ ...rest, json: JSON.stringify(object) }))
  }

  async *watch({ resource, namespace, after, signal }: WatchQuery): AsyncGenerator<WatchEvent> {
    const scope = namespace === undefined ? { resource } : { resource, namespace }
    const queue = new WatchQueue(scope, this.#watchLimits, this.#backlog)
    const stop = () => queue.close()
    signal.addEventListener('abort', stop)
    try {
      let cursor = after
      for (let isLive = false; !isLive && !signal.aborted; ) {
        // The answer comes between the events that it holds and those after it, so that joining then misses none and repeats none.
        const page = await this.#link.read<HistoryAnswer>(
          { kind: 'history', ...scope, after: cursor, limit: historyPageSize },
          (answer) => {
            if (answer.complete && !signal.aborted) this.#watchers.add(queue)
          },
        )
        for (const event of page.events) {
          if (signal.aborted) return
          yield watchEventOf(event)
        }
        cursor = String(page.version)
        isLive = page.complete
      }
      if (signal.aborted) return
      for await (const delivery of queue)
        yield delivery.kind === 'event' ? watchEventOf(delivery.event) : { type: 'bookmark', resourceVersion: String(delivery.version) }
    } finally {
      signal.removeEventListener('abort', stop)
      queue.close()
      this.#watchers.delete(queue)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#bookmarks.cancel()
    this.#endWatches()
    await this.#link.close()
  }

  #publish(events: readonly EventRow[]): void {
    for (const event of events) {
      this.#published = event.version
      for (const watcher of this.#watchers) watcher.push(event)
      this.#shedBacklog()
    }
  }

  /** Those that hold the most end first. */
  #shedBacklog(): void {
    while (this.#backlog.size > this.#watchLimits.sizeInAll) {
      let slowest: WatchQueue | undefined
      for (const watcher of this.#watchers) if (watcher.size > (slowest?.size ?? 0)) slowest = watcher
      if (slowest === undefined) return
      slowest.expire('behind while all watches together hold too much')
    }
  }

  #bookmark(): void {
    for (const watcher of this.#watchers) watcher.bookmark(this.#published)
  }

  #endWatches(error?: KaonError): void {
    for (const watcher of this.#watchers) watcher.close(error)
    this.#watchers.clear()
  }
}

function storedOf({ json, version }: ObjectRow): Stored {
  const object = JSON.parse(json) as Resource
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } } as Stored
}

function watchEventOf(event: EventRow): WatchEvent {
  return { type: event.type, key: event.key, object: storedOf(event), resourceVersion: String(event.version) }
}
