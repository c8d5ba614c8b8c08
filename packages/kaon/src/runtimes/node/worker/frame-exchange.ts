import { KaonError } from '../../../base/errors.ts'
import { CancelReason, defaultWindowBytes } from '../../../base/frames/frame.ts'
import type { RequestHead } from '../../../base/frames/head.ts'
import type { Call, Incoming, Reply } from './call.ts'
import type { FrameConnection } from './frame-connection.ts'
import { RequestBody } from './request-body.ts'

/** The gateway answers at the deadline; the worker only when nobody has so long after it. */
const deadlineGraceMs = 250
/** Room is given back in pieces of at least this, not for each frame. */
const creditBatchBytes = 65_536

const noBytes = new Uint8Array(0)

/** One call on a connection: its request as it came, its answer as the window lets it go. */
export class FrameExchange implements Incoming, Reply {
  readonly graceMs = deadlineGraceMs
  readonly stream: number
  readonly method: string
  readonly target: string
  readonly requestId: string
  readonly headers: readonly string[]
  readonly body: RequestBody | undefined
  readonly isStreamed: boolean
  /** Set right after construction; call and exchange know each other. */
  declare call: Call
  /** Bytes of this body that wait for the rest of it. */
  waitingBytes = 0
  readonly #connection: FrameConnection
  #credit: number
  #consumedBytes = 0
  /** What the gateway may still send. */
  #roomBytes = defaultWindowBytes
  #outbox: Uint8Array[] = []
  #endsWithOutbox = false
  #isOver = false
  #isCancelled = false
  #onRoom: (() => void) | undefined

  constructor(
    connection: FrameConnection,
    stream: number,
    head: RequestHead,
    options: { hasBody: boolean; streamBody: boolean; creditBytes: number },
  ) {
    this.#connection = connection
    this.stream = stream
    this.method = head.method
    this.target = head.target
    this.requestId = head.requestId
    this.headers = head.headers
    this.isStreamed = options.streamBody
    this.body = options.hasBody ? new RequestBody((bytes) => this.consumed(bytes)) : undefined
    this.#credit = options.creditBytes
  }

  receive(payload: Buffer): void {
    this.#roomBytes -= payload.length
    if (this.#roomBytes < 0 || this.body === undefined)
      throw new KaonError('protocol_error', 'More body bytes came than there was room for.')
    this.body.push(payload)
  }

  /** Gives the gateway room for as many bytes as were taken. */
  consumed(bytes: number): void {
    if (this.#isOver) return
    this.#consumedBytes += bytes
    if (this.#consumedBytes < creditBatchBytes) return
    this.#connection.writer.credit(this.stream, this.#consumedBytes)
    this.#roomBytes += this.#consumedBytes
    this.#consumedBytes = 0
    this.#connection.flushLater()
  }

  addCredit(bytes: number): void {
    this.#credit += bytes
    this.pump()
  }

  send(status: number, headers: readonly string[], body: string | Uint8Array | undefined, hasBody: boolean): Promise<void> | undefined {
    const connection = this.#connection
    const bytes = body === undefined ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
    const isShort = !hasBody || bytes === 0
    const head = { status, headers: hasBody || bytes > 0 ? withLength(headers, bytes) : headers }
    connection.writer.response(this.stream, head, isShort)
    connection.flushLater()
    if (isShort) {
      this.#over()
      return undefined
    }
    if (typeof body === 'string' && bytes <= this.#credit && !this.#isCancelled && !connection.isBackedUp) {
      connection.writer.text(this.stream, body, bytes, true)
      connection.countSent(bytes)
      this.#over()
      return undefined
    }
    this.#endsWithOutbox = true
    return this.write(typeof body === 'string' ? Buffer.from(body) : (body as Uint8Array))
  }

  open(status: number, headers: readonly string[]): void {
    this.#connection.writer.response(this.stream, { status, headers }, false)
    this.#connection.flushLater()
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#isOver || this.#isCancelled) return undefined
    this.#outbox.push(chunk)
    this.pump()
    return this.#room()
  }

  close(): Promise<void> | undefined {
    if (this.#isOver || this.#isCancelled) return undefined
    this.#endsWithOutbox = true
    if (this.#outbox.length === 0) this.#outbox.push(noBytes)
    this.pump()
    return this.#room()
  }

  break(): void {
    this.#cancel()
  }

  /** A call whose gateway has cancelled it, or that was answered late, is over for both sides with this. */
  released(): void {
    this.#cancel()
  }

  /** The gateway wants no more of it. */
  cancelled(): void {
    this.#isCancelled = true
    this.#outbox = []
    this.#onRoom?.()
  }

  /** Sends what the window and the socket take. */
  pump(): void {
    const { writer } = this.#connection
    while (this.#outbox.length > 0 && !this.#connection.isBackedUp) {
      const first = this.#outbox[0] as Uint8Array
      const part = first.byteLength <= this.#credit ? first : first.subarray(0, this.#credit)
      const isWhole = part.byteLength === first.byteLength
      if (part.byteLength === 0 && !isWhole) break
      this.#credit -= part.byteLength
      if (isWhole) this.#outbox.shift()
      else this.#outbox[0] = first.subarray(part.byteLength)
      const isEnd = this.#endsWithOutbox && this.#outbox.length === 0
      writer.data(this.stream, part, isEnd)
      this.#connection.countSent(part.byteLength)
      this.#connection.flushLater()
      if (isEnd) this.#over()
    }
    if (this.#outbox.length === 0) this.#onRoom?.()
  }

  #room(): Promise<void> | undefined {
    if (this.#outbox.length === 0) return undefined
    return new Promise((resolve) => {
      this.#onRoom = () => {
        this.#onRoom = undefined
        resolve()
      }
    })
  }

  #cancel(): void {
    if (this.#isOver) return
    this.#connection.writer.cancel(this.stream, CancelReason.failed)
    this.#connection.flushLater()
    this.#over()
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#outbox = []
    this.#onRoom?.()
    this.#connection.forget(this.stream)
  }
}

function withLength(headers: readonly string[], bytes: number): readonly string[] {
  if (headers.length === 2) return [headers[0] as string, headers[1] as string, 'content-length', String(bytes)]
  return [...headers, 'content-length', String(bytes)]
}
