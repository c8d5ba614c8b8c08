import type { IncomingMessage, ServerResponse } from 'node:http'
import type { KaonError } from '../../../base/errors.ts'
import type { Call, Incoming, Reply } from './call.ts'
import type { Counters } from './counters.ts'
import { problemAnswer } from './failure-answer.ts'
import type { HttpConnection } from './http-connections.ts'
import { RequestBody } from './request-body.ts'

const largeBytes = 65_536

/** One request of the worker's own HTTP server, and its answer. */
export class HttpExchange implements Incoming, Reply {
  readonly graceMs = 0
  readonly requestId: string
  readonly body: RequestBody | undefined
  /** The connection ends with this answer: the rest of the request is not read. */
  closesAfter = false
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #counters: Counters

  readonly #connection: HttpConnection
  /** Set right after construction; call and exchange know each other. */
  declare call: Call

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    options: { requestId: string; hasBody: boolean; counters: Counters; connection: HttpConnection },
  ) {
    this.#request = request
    this.#response = response
    this.requestId = options.requestId
    this.#counters = options.counters
    this.#connection = options.connection
    this.#connection.add(this)
    this.body = options.hasBody ? new RequestBody(() => this.#request.resume()) : undefined
  }

  get method(): string {
    return this.#request.method as string
  }

  get target(): string {
    return this.#request.url as string
  }

  get headers(): readonly string[] {
    return this.#request.rawHeaders
  }

  /** Hands the body on as it comes; the connection is not read while more than `windowBytes` wait. */
  receive(windowBytes: number): void {
    const body = this.body as RequestBody
    this.#request.on('data', (chunk: Buffer) => {
      this.#counters.bytes(chunk.length, 0)
      body.push(chunk)
      if (body.waitingBytes > windowBytes) this.#request.pause()
    })
    this.#request.on('end', () => body.end())
    this.#request.on('error', (error) => body.fail(error))
  }

  /** Calls `onWhole` when the body is complete, or `onTooLarge` when it is larger than `limitBytes`. */
  collect(limitBytes: number, onWhole: () => void, onTooLarge: () => void): void {
    const body = this.body as RequestBody
    let isTooLarge = false
    this.#request.on('data', (chunk: Buffer) => {
      if (isTooLarge) return
      this.#counters.bytes(chunk.length, 0)
      body.push(chunk)
      if (body.bytes <= limitBytes) return
      isTooLarge = true
      onTooLarge()
    })
    this.#request.on('end', () => {
      if (isTooLarge) return
      body.end()
      onWhole()
    })
    this.#request.on('error', () => undefined)
  }

  refuse(error: KaonError): void {
    const answer = problemAnswer(error, this.requestId)
    this.closesAfter = this.body !== undefined
    this.send(answer.status, answer.headers, answer.body as string, this.method !== 'HEAD')
  }

  send(status: number, headers: readonly string[], body: string | Uint8Array | undefined, hasBody: boolean): Promise<void> | undefined {
    const response = this.#response
    const bytes = body === undefined ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
    const head = this.#head(headers, hasBody || bytes > 0 ? bytes : undefined)
    this.#connection.remove(this)
    response.writeHead(status, head)
    if (!hasBody || bytes === 0) {
      response.end()
      return undefined
    }
    this.#counters.bytes(0, bytes)
    // Plain ASCII is the same in latin1, which is written faster, the head together with it.
    if (typeof body === 'string' && body.length === bytes) response.end(body, 'latin1')
    else response.end(body)
    return bytes < largeBytes ? undefined : this.#finished()
  }

  #head(headers: readonly string[], bytes: number | undefined): string[] {
    if (headers.length === 2 && bytes !== undefined && !this.closesAfter)
      return [headers[0] as string, headers[1] as string, 'x-request-id', this.requestId, 'content-length', String(bytes)]
    const head = [...headers, 'x-request-id', this.requestId]
    if (bytes !== undefined) head.push('content-length', String(bytes))
    if (this.closesAfter) head.push('connection', 'close')
    return head
  }

  open(status: number, headers: readonly string[]): void {
    this.#response.writeHead(status, [...headers, 'x-request-id', this.requestId])
    this.#response.flushHeaders()
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    const response = this.#response
    if (response.destroyed) return undefined
    this.#counters.bytes(0, chunk.byteLength)
    if (response.write(chunk)) return undefined
    return new Promise((resolve) => {
      const proceed = () => {
        response.off('drain', proceed)
        response.off('close', proceed)
        resolve()
      }
      response.on('drain', proceed)
      response.on('close', proceed)
    })
  }

  close(): Promise<void> | undefined {
    this.#response.end()
    this.#connection.remove(this)
    return this.#finished()
  }

  break(): void {
    this.#response.destroy()
  }

  released(): void {
    this.#connection.remove(this)
  }

  #finished(): Promise<void> | undefined {
    if (this.#response.writableFinished || this.#response.destroyed) return undefined
    return new Promise((resolve) => this.#response.once('close', resolve))
  }
}
