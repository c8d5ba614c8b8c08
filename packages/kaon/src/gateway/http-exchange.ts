import type { Clock, IncomingMessage, ServerResponse, Socket, Timer } from '../base/system.ts'
import type { Exchange, ExchangeEvents } from './exchange.ts'

/** What is still read of a request that was refused, so that its sender comes to read the answer. */
const maxDiscardedBytes = 256 * 1024
const lingerMs = 500
/** Bodies up to this size go out in one string with their head, which costs one write less than a buffer beside it. */
const joinedBytes = 4_096

/** What all exchanges of a server share. */
export type HttpExchangeOwner = {
  readonly clock: Pick<Clock, 'after'>
  readonly isTrusted: boolean
  /** The server is closing: every answer is the last of its connection. */
  readonly isClosing: boolean
  onDone(exchange: HttpExchange): void
}

/** One request of a `node:http` server as the gateway sees it. */
export class HttpExchange implements Exchange {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #owner: HttpExchangeOwner
  readonly #expectsContinue: boolean
  readonly peer: string | undefined
  #isReading = false
  #isAnswered = false
  #isOver = false
  #discarded = 0
  #linger: Timer | undefined
  events: ExchangeEvents | undefined

  constructor(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean, owner: HttpExchangeOwner) {
    this.#request = request
    this.#response = response
    this.#expectsContinue = expectsContinue
    this.#owner = owner
    this.peer = owner.isTrusted ? undefined : peerOf(request.socket)
    response.on('close', () => this.#closed())
    if (response.socket !== null) return
    // Behind others in a pipeline: until its turn node tells an answer nothing about its connection.
    request.socket.setMaxListeners(0).once('close', () => this.#closed())
  }

  get method(): string {
    return this.#request.method as string
  }

  get target(): string {
    return this.#request.url as string
  }

  get rawHeaders(): readonly string[] {
    return this.#request.rawHeaders
  }

  get minorVersion(): number {
    return this.#request.httpVersionMinor
  }

  get isTrusted(): boolean {
    return this.#owner.isTrusted
  }

  /** No part of an answer was written. */
  get isUnanswered(): boolean {
    return !this.#isAnswered && !this.#response.headersSent
  }

  /** Answered to the last byte, and so is all before it on this connection; or the connection is gone. */
  get isOver(): boolean {
    return this.#isOver
  }

  readBody(): void {
    if (this.#isReading) {
      this.#request.resume()
      return
    }
    if (this.#expectsContinue && !this.#response.headersSent) this.#response.writeContinue()
    this.#listen()
  }

  pauseBody(): void {
    if (this.#isReading) this.#request.pause()
  }

  answer(status: number, headers: string[], body: Uint8Array | undefined): void {
    if (this.#response.destroyed || this.#isAnswered) return
    if (this.#owner.isClosing) headers.push('connection', 'close')
    this.#response.writeHead(status, headers)
    this.#isAnswered = true
    if (body === undefined || body.byteLength === 0) this.#response.end()
    else if (body.byteLength <= joinedBytes)
      this.#response.end(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1'), 'latin1')
    else this.#response.end(body)
    this.#discardRest()
  }

  answerAndClose(status: number, headers: string[], body: Uint8Array): void {
    const { socket } = this.#response
    headers.push('connection', 'close', 'content-length', String(body.byteLength))
    if (socket === null || this.#request.complete) {
      // An earlier answer of this connection is not out yet, or there is nothing left to read.
      this.#isAnswered = true
      this.#response.writeHead(status, headers)
      this.#response.end(body)
      return
    }
    this.#isAnswered = true
    let head = `HTTP/1.1 ${status} \r\n`
    for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
    // Past node's own answer, which would close at once: a connection that is closed with bytes unread is reset, and the answer lost with it.
    socket.write(`${head}\r\n`, 'latin1')
    if (this.method !== 'HEAD') socket.write(body)
    socket.end()
    this.#discardRest()
    this.#linger = this.#owner.clock.after(lingerMs, () => socket.destroy())
  }

  start(status: number, headers: string[]): void {
    if (this.#response.destroyed) return
    if (this.#owner.isClosing) headers.push('connection', 'close')
    this.#response.writeHead(status, headers)
    const { socket } = this.#response
    // What is written in this turn goes out with the head.
    socket?.cork()
    this.#response.flushHeaders()
    if (socket !== null) queueMicrotask(() => socket.uncork())
  }

  write(chunk: Uint8Array): boolean {
    if (this.#response.destroyed) return false
    if (this.#response.write(chunk)) return true
    this.#response.once('drain', () => this.events?.onDrained())
    return false
  }

  end(trailers: readonly string[] | undefined): void {
    if (this.#response.destroyed || this.#isAnswered) return
    this.#isAnswered = true
    if (trailers !== undefined) {
      const pairs: [string, string][] = []
      for (let i = 0; i < trailers.length; i += 2) pairs.push([trailers[i] as string, trailers[i + 1] as string])
      this.#response.addTrailers(pairs)
    }
    this.#response.end()
    this.#discardRest()
  }

  abort(): void {
    this.#isAnswered = true
    this.#request.socket.destroy()
  }

  #listen(): void {
    this.#isReading = true
    this.#request.on('data', (chunk: Buffer) => this.#received(chunk))
    this.#request.on('end', () => {
      if (!this.#isAnswered) this.events?.onBodyEnd(this.#request.rawTrailers.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text)))
    })
    this.#request.on('error', () => undefined)
  }

  #received(chunk: Buffer): void {
    if (!this.#isAnswered) {
      this.events?.onBody(chunk)
      return
    }
    this.#discarded += chunk.length
    if (this.#discarded <= maxDiscardedBytes) return
    // The rest waits in the client until the connection is closed.
    this.#request.pause()
    this.#linger ??= this.#owner.clock.after(lingerMs, () => this.#request.socket.destroy())
  }

  /** A body that nobody reads any more would stand before the next request. */
  #discardRest(): void {
    if (this.#request.complete) return
    if (!this.#isReading) this.#listen()
    this.#request.resume()
  }

  #closed(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#linger?.cancel()
    this.#owner.onDone(this)
    if (!this.#isAnswered) this.events?.onGone()
  }
}

function peerOf(socket: Socket): string | undefined {
  const address = socket.remoteAddress
  return address?.startsWith('::ffff:') ? address.slice(7) : address
}
