import type { ChunkSource } from './answer.ts'
import type { Timed } from './deadlines.ts'
import type { RequestBody } from './request-body.ts'

/** A request as its transport has it. */
export interface Incoming {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly requestId: string
  /** Names (in any case) and values, alternating. */
  readonly headers: readonly string[]
  /** Undefined when there is none. */
  readonly body: RequestBody | undefined
}

/** Where the answer goes. What returns a promise resolves when there is room again, and also when nobody wants the answer any more. */
export interface Reply {
  /** How long after the deadline somebody in front answers before this side does. */
  readonly graceMs: number
  /** The whole answer; `hasBody` is false where HTTP has none (HEAD, 204, 304). */
  send(status: number, headers: readonly string[], body: string | Uint8Array | undefined, hasBody: boolean): Promise<void> | undefined
  /** The head of an answer whose body follows by `write` and `close`. */
  open(status: number, headers: readonly string[]): void
  write(chunk: Uint8Array): Promise<void> | undefined
  close(): Promise<void> | undefined
  /** Ends a begun answer so that the caller sees that it is not whole. */
  break(): void
  /** The handler of a call that nobody waits for any more has settled: its slot is free. */
  released(): void
}

/** One invocation from the head of its request until handler and answer are done. */
export class Call implements Timed {
  readonly incoming: Incoming
  readonly reply: Reply
  /** On the machine's monotonic clock. */
  readonly arrivedAt: number
  deadlineAt: number
  isTimed = false
  earlier: Timed | undefined = undefined
  later: Timed | undefined = undefined
  /** The handler was called. */
  isStarted = false
  /** The answer's head is out, or nobody wants one any more. */
  isAnswered = false
  /** Nobody waits for the handler any more, which still runs. */
  isAbandoned = false
  /** The deadline has passed. */
  isExpired = false
  isReleased = false
  isFailed = false
  /** The stream that is being sent. */
  source: ChunkSource | undefined = undefined
  #abort: AbortController | undefined
  #abortReason: unknown

  constructor(incoming: Incoming, reply: Reply, arrivedAt: number, deadlineAt: number) {
    this.incoming = incoming
    this.reply = reply
    this.arrivedAt = arrivedAt
    this.deadlineAt = deadlineAt
  }

  get requestId(): string {
    return this.incoming.requestId
  }

  /** Made when first asked for: most handlers never do. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#abortReason !== undefined) this.#abort.abort(this.#abortReason)
    }
    return this.#abort.signal
  }

  abort(reason: unknown): void {
    if (this.#abortReason !== undefined) return
    this.#abortReason = reason
    this.#abort?.abort(reason)
  }

  header(name: string): string | undefined {
    return headerOf(this.incoming.headers, name)
  }
}

/** The value of the first header of this (lower-case) name. */
export function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const each = headers[i] as string
    if (each.length === name.length && (each === name || each.toLowerCase() === name)) return headers[i + 1]
  }
  return undefined
}
