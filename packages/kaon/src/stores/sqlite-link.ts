import { Worker } from 'node:worker_threads'
import { KaonError } from '../base/errors.ts'
import type { Clock } from '../base/system.ts'
import { errorOf } from './sqlite-errors.ts'
import type { EventRow, FromThread, ObjectRow, ReadRequest, SqliteSettings, ToThread, WriteRequest } from './sqlite-messages.ts'

/** More writes than this at once are refused: they wait in memory. */
const maxWaitingWrites = 10_000

type Unsent<T> = T extends unknown ? Omit<T, 'id'> : never
type Waiting = { resolve(value: unknown): void; reject(error: KaonError): void }

type LinkDeps = {
  thread: URL
  settings: SqliteSettings
  clock: Pick<Clock, 'now'>
  onEvents(events: EventRow[]): void
  /** Why writes are refused from here on; undefined when they are taken again. */
  onWritable(refusal: KaonError | undefined): void
  /** The thread is gone for good, other than by `close`. */
  onLost(error: KaonError): void
}

/** The line to the store's thread: requests go, answers come back in order, and the events of a commit before the answers that know of it. */
export class SqliteLink {
  readonly #deps: LinkDeps
  readonly #worker: Worker
  readonly #opened = Promise.withResolvers<number>()
  readonly #exited: Promise<void>
  readonly #waiting = new Map<number, Waiting>()
  #nextId = 1
  #outbox: WriteRequest[] = []
  #waitingWrites = 0
  #end: KaonError | undefined

  constructor(deps: LinkDeps) {
    this.#deps = deps
    this.#worker = new Worker(deps.thread, { workerData: deps.settings, name: 'kaon-store' })
    this.#worker.on('message', (message: FromThread) => this.#take(message))
    this.#worker.on('error', (cause) => this.#lose(cause))
    this.#exited = new Promise((resolve) =>
      this.#worker.once('exit', () => {
        this.#lose(undefined)
        resolve()
      }),
    )
  }

  /** The version that stands when the file is open; rejects when it cannot be opened. */
  get opened(): Promise<number> {
    return this.#opened.promise
  }

  /** Writes of one tick go together. */
  write(write: Unsent<WriteRequest>): Promise<ObjectRow> {
    if (this.#waitingWrites >= maxWaitingWrites)
      return Promise.reject(
        new KaonError('store_unavailable', `More than ${maxWaitingWrites} writes are waiting.`, { retryAfterSeconds: 1 }),
      )
    return this.#ask<ObjectRow>((id) => {
      this.#waitingWrites++
      this.#outbox.push({ ...write, id } as WriteRequest)
      if (this.#outbox.length === 1) queueMicrotask(() => this.#flush())
    })
  }

  /** `onAnswer` is called before any later event is handed out. */
  read<T>(read: ReadRequest, onAnswer?: (answer: T) => void): Promise<T> {
    return this.#ask<T>((id) => this.#send({ kind: 'read', id, read }), onAnswer)
  }

  async close(): Promise<void> {
    this.#flush()
    this.#end ??= new KaonError('store_unavailable', 'The store is closed.')
    this.#send({ kind: 'close' })
    await this.#exited
  }

  #ask<T>(send: (id: number) => void, onAnswer?: (answer: T) => void): Promise<T> {
    if (this.#end !== undefined) return Promise.reject(this.#end)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const id = this.#nextId++
    const settle = (value: unknown) => {
      onAnswer?.(value as T)
      resolve(value as T)
    }
    this.#waiting.set(id, { resolve: settle, reject })
    send(id)
    return promise
  }

  #flush(): void {
    const writes = this.#outbox
    this.#outbox = []
    if (writes.length > 0) this.#send({ kind: 'writes', now: this.#deps.clock.now(), writes })
  }

  #send(message: ToThread): void {
    this.#worker.postMessage(message)
  }

  #take(message: FromThread): void {
    if (message.kind === 'opened') this.#opened.resolve(message.version)
    else if (message.kind === 'failed') this.#opened.reject(errorOf(message.refusal))
    else if (message.kind === 'writable') this.#deps.onWritable(message.refusal && errorOf(message.refusal))
    else if (message.kind === 'answer') this.#settle(message.id)?.resolve(message.answer)
    else if (message.kind === 'refused') this.#settle(message.id)?.reject(errorOf(message.refusal))
    else this.#takeCommitted(message)
  }

  #takeCommitted({ events, outcomes }: Extract<FromThread, { kind: 'committed' }>): void {
    if (events.length > 0) this.#deps.onEvents(events)
    this.#waitingWrites -= outcomes.length
    for (const outcome of outcomes) {
      if ('row' in outcome) this.#settle(outcome.id)?.resolve(outcome.row)
      else this.#settle(outcome.id)?.reject(errorOf(outcome.refusal))
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }

  #lose(cause: unknown): void {
    const isExpected = this.#end !== undefined
    this.#end ??= new KaonError('store_unavailable', "The store's thread has ended.", { cause, hint: 'Restart the platform.' })
    this.#opened.reject(this.#end)
    for (const waiting of this.#waiting.values()) waiting.reject(this.#end)
    this.#waiting.clear()
    if (!isExpected) this.#deps.onLost(this.#end)
  }
}
