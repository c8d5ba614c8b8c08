import { KaonError } from '../base/errors.ts'

/** What a worker says about one call. After `isEnd`, trailers, a refusal, a cancel or a loss nothing more comes. */
export interface StreamEvents {
  onResponse(status: number, headers: readonly string[], isEnd: boolean): void
  /** The bytes are not used again. */
  onData(chunk: Buffer, isEnd: boolean): void
  onTrailers(trailers: readonly string[]): void
  /** All that has come so far was told; more may take its time. */
  onPause(): void
  /** Its handler runs, or is about to. */
  onStarted(): void
  /** More of the body may be sent. Its handler runs. */
  onWritable(): void
  /** Its handler was not and will not be started there. */
  onRefused(reason: number): void
  /** The worker gave up in the middle of it. */
  onCancelled(): void
  /** The worker is gone; `mayGoElsewhere` when it is certain that the handler was not started. */
  onLost(mayGoElsewhere: boolean): void
}

/** One call on a connection: how far both bodies may go. */
export class WorkerStream {
  readonly id: number
  readonly events: StreamEvents
  /** Body bytes that the worker still takes. */
  sendWindow: number
  isRequestEnded = false
  /** Its handler runs or ran: only its own worker can answer it. */
  isStarted = false
  readonly #window: number
  /** Body bytes that the worker may still send. */
  #left: number
  #owed = 0

  constructor(id: number, events: StreamEvents, sendWindow: number, window: number) {
    this.id = id
    this.events = events
    this.sendWindow = sendWindow
    this.#window = window
    this.#left = window
  }

  /** Throws `protocol_error` when the worker sends more than it may. */
  receive(bytes: number): void {
    this.#left -= bytes
    if (this.#left < 0) throw new KaonError('protocol_error', 'A worker sent more of a body than it was allowed to.')
  }

  /** The credit to give back now, in few large pieces; 0 when it is not worth a frame yet. */
  consume(bytes: number): number {
    this.#owed += bytes
    if (this.#owed < this.#window / 2) return 0
    const credit = this.#owed
    this.#owed = 0
    this.#left += credit
    return credit
  }
}
