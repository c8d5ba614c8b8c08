import type { Exchange } from './exchange.ts'
import type { WorkerConnection } from './worker-connection.ts'
import type { WorkerStream } from './worker-stream.ts'

/** Bodies of at most this size are waited for, so that they go out with the head, in one frame more. */
export const smallBodyBytes = 16_384

/**
 * The body of a request on its way to a worker. It never holds more than one window: what the worker has no room for is not read from
 * the client. Until the worker is known to have started, what was sent is kept, so that the call can go to another one.
 */
export class RequestBody {
  readonly #exchange: Exchange
  /** From the first byte on while it is kept, else from the first that was not sent. */
  #chunks: Buffer[] = []
  /** The next chunk to send, and where in it. */
  #next = 0
  #offset = 0
  #isKept = true
  #isWhole = false
  #isPaused = true
  #trailers: readonly string[] = []
  #connection: WorkerConnection | undefined
  #stream: WorkerStream | undefined
  receivedBytes = 0

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  get isWhole(): boolean {
    return this.#isWhole
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Whether another worker could be given all of it. */
  get isReplayable(): boolean {
    return this.#isKept
  }

  /** The body when all of it is here in one piece and nothing was sent, to go with the head. */
  get whole(): Buffer | undefined {
    return this.#isWhole && this.#trailers.length === 0 && this.#chunks.length === 1 ? this.#chunks[0] : undefined
  }

  /** Starts or goes on reading. */
  read(): void {
    if (this.#isWhole || !this.#isPaused) return
    this.#isPaused = false
    this.#exchange.readBody()
  }

  /**
   * Stops reading. A client that goes away now is noticed when reading goes on, when its answer is written, or at the deadline: the end of its
   * connection stands behind what it had sent, which may be megabytes in the kernel. Reading ahead by a window would hold that much more
   * for each call and still see only the end of uploads that were nearly over.
   */
  pause(): void {
    if (this.#isWhole || this.#isPaused) return
    this.#isPaused = true
    this.#exchange.pauseBody()
  }

  received(chunk: Buffer): void {
    this.receivedBytes += chunk.length
    this.#chunks.push(chunk)
    this.pump()
  }

  ended(trailers: readonly string[]): void {
    this.#isWhole = true
    this.#trailers = trailers
    this.pump()
  }

  /** Sends it to a worker from its beginning. `isSent`: it went with the head. */
  attach(connection: WorkerConnection, stream: WorkerStream, isSent: boolean): void {
    this.#connection = connection
    this.#stream = stream
    this.#next = isSent ? this.#chunks.length : 0
    this.#offset = 0
    this.pump()
  }

  /** The worker is out of it; the body may be attached to another while it is replayable. */
  detach(): void {
    this.#stream = undefined
    this.#connection = undefined
    this.pause()
  }

  /** It can not be needed again: what was sent is let go. */
  forgetSent(): void {
    if (!this.#isKept) return
    this.#isKept = false
    this.#dropSent()
  }

  /** Sends what the window takes, and reads on when all of it was sent. */
  pump(): void {
    const connection = this.#connection
    const stream = this.#stream
    if (connection === undefined || stream === undefined || stream.isRequestEnded) return
    while (this.#next < this.#chunks.length) {
      const room = connection.room(stream)
      if (room <= 0) {
        this.pause()
        return
      }
      const chunk = this.#chunks[this.#next] as Buffer
      const end = Math.min(chunk.length, this.#offset + room)
      const isLast = end === chunk.length && this.#next === this.#chunks.length - 1
      connection.send(stream, chunk.subarray(this.#offset, end), isLast && this.#isWhole && this.#trailers.length === 0)
      this.#offset = end === chunk.length ? 0 : end
      if (end === chunk.length) this.#next++
    }
    if (!this.#isKept) this.#dropSent()
    if (!this.#isWhole) this.read()
    else if (this.#trailers.length > 0) connection.sendTrailers(stream, this.#trailers)
    else if (!stream.isRequestEnded) connection.send(stream, Buffer.alloc(0), true)
  }

  #dropSent(): void {
    if (this.#next === 0) return
    this.#chunks.splice(0, this.#next)
    this.#next = 0
  }
}
