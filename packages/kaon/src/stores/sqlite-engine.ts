import { SqliteDatabase } from './sqlite-database.ts'
import { errorOf, leavesDataReadable, refusalOf } from './sqlite-errors.ts'
import type { FromThread, ReadRequest, Refusal, SqliteSettings, WriteRequest } from './sqlite-messages.ts'
import { eventsAfter, readDatabase } from './sqlite-reads.ts'

/** After a failure the file is opened again at once, then after these waits; the last one repeats. */
const reopenDelaysMs = [100, 200, 500, 1000, 2000, 5000]

type EngineDeps = {
  settings: SqliteSettings
  post(message: FromThread): void
  after(delayMs: number, action: () => void): void
}

/**
 * The store behind its thread: commits what came in together, and outlives failures of the disk.
 * A handle whose commit failed is closed and never used again: what it holds in memory may not be what is on the disk.
 */
export class SqliteEngine {
  readonly #deps: EngineDeps
  #database: SqliteDatabase | undefined
  /** Why nothing can be written now. */
  #refusal: Refusal | undefined
  /** Up to here watchers were told. A commit that failed may turn out to have happened once the file is open again. */
  #published = 0
  #attempt = 0
  #isClosed = false

  constructor(deps: EngineDeps) {
    this.#deps = deps
  }

  /** Says `opened` or `failed`. On a full disk it opens for reading, and for writing once there is room. */
  open(): void {
    const { settings, post } = this.#deps
    try {
      this.#database = connect(settings)
      this.#published = this.#database.version
      const failure = settleUnlessFull(this.#database)
      post({ kind: 'opened', version: this.#published })
      if (failure === undefined) return
      this.#refuseWrites(refusalOf(failure, settings.file))
      this.#reopenLater(true)
    } catch (error) {
      this.close()
      post({ kind: 'failed', refusal: refusalOf(error, settings.file) })
    }
  }

  /** All in one transaction; says `committed` with the outcome of each once they are on the disk. */
  write(writes: readonly WriteRequest[], nowMs: number): void {
    if (this.#database === undefined || this.#refusal !== undefined) {
      this.#refuseAll(writes)
      return
    }
    try {
      const { outcomes, events } = this.#database.write(writes, nowMs)
      this.#published = this.#database.version
      this.#deps.post({ kind: 'committed', events, outcomes })
    } catch (error) {
      this.#refuseWrites(refusalOf(error, this.#deps.settings.file))
      this.#refuseAll(writes)
      this.#attempt = 0
      this.#reopen(leavesDataReadable(error))
    }
  }

  read(id: number, read: ReadRequest): void {
    const { settings, post } = this.#deps
    try {
      if (this.#database === undefined) throw errorOf(this.#refusal ?? closed)
      post({ kind: 'answer', id, answer: readDatabase(this.#database, read) })
    } catch (error) {
      post({ kind: 'refused', id, refusal: refusalOf(error, settings.file) })
    }
  }

  close(): void {
    this.#isClosed = true
    this.#closeHandle()
  }

  /** With `isReadable` what was there before the failure is served meanwhile; without, it may not be on the disk and nothing is. */
  #reopen(isReadable: boolean): void {
    if (this.#isClosed) return
    this.#closeHandle()
    let database: SqliteDatabase | undefined
    try {
      database = connect(this.#deps.settings)
      if (isReadable) this.#database = database
      database.settle()
      this.#database = database
      this.#refuseWrites(undefined)
      this.#publishMissed(database)
    } catch (error) {
      this.#refuseWrites(refusalOf(error, this.#deps.settings.file))
      if (!isReadable || !leavesDataReadable(error)) {
        this.#database = undefined
        database?.close()
      }
      this.#reopenLater(isReadable)
    }
  }

  #reopenLater(isReadable: boolean): void {
    const delayMs = reopenDelaysMs[Math.min(this.#attempt++, reopenDelaysMs.length - 1)]!
    this.#deps.after(delayMs, () => this.#reopen(isReadable))
  }

  #refuseWrites(refusal: Refusal | undefined): void {
    const isNews = refusal?.code !== this.#refusal?.code
    this.#refusal = refusal
    if (isNews) this.#deps.post({ kind: 'writable', refusal })
  }

  /** A commit whose fsync failed was answered as failed, but may be there after all. */
  #publishMissed(database: SqliteDatabase): void {
    const events = eventsAfter(database, this.#published)
    this.#published = database.version
    if (events.length > 0) this.#deps.post({ kind: 'committed', events, outcomes: [] })
  }

  #refuseAll(writes: readonly WriteRequest[]): void {
    const refusal = this.#refusal ?? closed
    this.#deps.post({ kind: 'committed', events: [], outcomes: writes.map(({ id }) => ({ id, refusal })) })
  }

  #closeHandle(): void {
    try {
      this.#database?.close()
    } catch {
      // Closing a handle whose disk failed fails too; it is dropped either way.
    }
    this.#database = undefined
  }
}

const closed: Refusal = { code: 'store_unavailable', message: 'The store is closed.' }

/** The error of a full disk; throws any other. */
function settleUnlessFull(database: SqliteDatabase): unknown {
  try {
    database.settle()
  } catch (error) {
    if (!leavesDataReadable(error)) throw error
    return error
  }
  return undefined
}

function connect({ file, maxBytes, history }: SqliteSettings): SqliteDatabase {
  return new SqliteDatabase(file, maxBytes, history)
}
