import type { Socket } from 'node:net'
import { KaonError } from '../../../base/errors.ts'
import {
  CancelReason,
  defaultWindowBytes,
  endFlag,
  FrameDecoder,
  FrameKind,
  protocolVersion,
  RefusedReason,
} from '../../../base/frames/frame.ts'
import { FrameWriter } from '../../../base/frames/frame-writer.ts'
import { readRequestHead, readTrailers } from '../../../base/frames/head.ts'
import { Call } from './call.ts'
import { FrameExchange } from './frame-exchange.ts'
import type { FrameServerDeps } from './frame-server.ts'
import { OpenStreams } from './open-streams.ts'
import { maxBodyBytes } from './request-body.ts'

export type FrameConnectionDeps = FrameServerDeps & {
  socket: Socket
  number: number
  /** Where the memory keeps this connection's last started stream. */
  slot: number | undefined
  /** Body bytes of calls that are not started, over all connections. */
  waiting: { bytes: number }
}

/** One gateway's connection: many calls at once, one write for all frames of a tick. Anything malformed ends it, and it alone. */
export class FrameConnection {
  readonly #deps: FrameConnectionDeps
  readonly #decoder = new FrameDecoder()
  readonly #writer = new FrameWriter()
  readonly #exchanges = new OpenStreams<FrameExchange>()
  #starting: FrameExchange[] = []
  #windowBytes = 0
  #lastStream = 0
  #isReading = false
  #isFlushing = false
  #isOver = false

  constructor(deps: FrameConnectionDeps) {
    this.#deps = deps
    const { socket, slot, memory, number } = deps
    if (slot !== undefined) {
      memory.connections[slot + 1] = 0
      memory.connections[slot] = number
    }
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on('drain', () => this.#onDrain())
    socket.on('error', () => undefined)
    socket.on('close', () => this.#onClose())
    this.#writer.hello(protocolVersion, defaultWindowBytes, number)
    this.flush()
  }

  get writer(): FrameWriter {
    return this.#writer
  }

  get isBackedUp(): boolean {
    return this.#deps.socket.writableNeedDrain
  }

  /** Writes what is gathered when this tick's promises have settled, or at the end of a read that left no call open. */
  flushLater(): void {
    if (this.#isFlushing || this.#isReading) return
    this.#isFlushing = true
    setImmediate(this.#flushNow)
  }

  flush(): void {
    if (this.#isOver || this.#writer.pendingBytes === 0) return
    const parts = this.#writer.take()
    const { socket } = this.#deps
    if (parts.length === 1) {
      socket.write(parts[0] as Buffer)
      return
    }
    socket.cork()
    for (const part of parts) socket.write(part)
    socket.uncork()
  }

  /** Writes what is gathered and ends the connection; resolves when all of it is written, or the connection broke. */
  end(): Promise<void> {
    const { socket } = this.#deps
    this.flush()
    return new Promise((resolve) => {
      if (socket.destroyed) return resolve()
      socket.once('close', resolve)
      socket.end(resolve)
    })
  }

  /** The stream is done with; frames that still come for it are of no interest. */
  forget(stream: number): void {
    this.#exchanges.delete(stream)
  }

  countSent(bytes: number): void {
    this.#deps.counters.bytes(0, bytes)
  }

  readonly #flushNow = () => {
    this.#isFlushing = false
    this.flush()
  }

  readonly #onFrame = (kind: number, flags: number, stream: number, payload: Buffer): void => {
    if (this.#windowBytes === 0 && kind !== FrameKind.hello) throw new KaonError('protocol_error', 'The first frame is no HELLO.')
    if (kind === FrameKind.data) this.#onBody(flags, stream, payload)
    else if (kind === FrameKind.request) this.#onRequest(flags, stream, payload)
    else if (kind === FrameKind.credit) this.#onCredit(stream, payload)
    else if (kind === FrameKind.cancel) this.#onCancel(stream, payload)
    else if (kind === FrameKind.hello) this.#onHello(payload)
    else if (kind === FrameKind.ping) this.#onPing()
    else if (kind === FrameKind.trailers) {
      readTrailers(payload)
      this.#onBody(flags, stream, undefined)
    } else if (kind !== FrameKind.pong) throw new KaonError('protocol_error', `A gateway does not send frames of the kind ${kind}.`)
  }

  #onData(chunk: Buffer): void {
    if (this.#isOver) return
    const openBefore = this.#exchanges.size
    this.#isReading = true
    try {
      if (this.#decode(chunk) && this.#starting.length > 0) this.#startAll()
    } finally {
      this.#isReading = false
    }
    if (this.#writer.pendingBytes === 0) return
    if (this.#exchanges.size <= openBefore) this.flush()
    else this.flushLater()
  }

  #decode(chunk: Buffer): boolean {
    try {
      this.#decoder.push(chunk, this.#onFrame)
      return true
    } catch {
      this.#deps.socket.destroy()
      return false
    }
  }

  #onHello(payload: Buffer): void {
    if (payload.length !== 10 || payload.readUInt16BE(0) !== protocolVersion || payload.readUInt32BE(2) === 0)
      throw new KaonError('protocol_error', `A HELLO that is not of version ${protocolVersion}.`)
    this.#windowBytes = payload.readUInt32BE(2)
  }

  #onRequest(flags: number, stream: number, payload: Buffer): void {
    if (stream <= this.#lastStream) throw new KaonError('protocol_error', `The stream ${stream} does not follow ${this.#lastStream}.`)
    this.#lastStream = stream
    const head = readRequestHead(payload)
    const { runner, streamBody } = this.#deps
    const hasBody = (flags & endFlag) === 0
    const exchange = new FrameExchange(this, stream, head, { hasBody, streamBody, creditBytes: this.#windowBytes })
    const now = runner.now()
    const timeoutMs = head.deadlineMs === 0 ? runner.timeoutMs : head.deadlineMs
    const call = new Call(exchange, exchange, now, now + timeoutMs)
    exchange.call = call
    const admitted = runner.admit(call)
    if (admitted !== 'admitted') {
      this.#writer.refused(stream, RefusedReason[admitted])
      this.flushLater()
      return
    }
    this.#exchanges.add(exchange)
    if (!hasBody || streamBody) this.#starting.push(exchange)
  }

  #onCredit(stream: number, payload: Buffer): void {
    if (payload.length !== 4) throw new KaonError('protocol_error', 'A CREDIT is not of 4 bytes.')
    this.#exchanges.get(stream)?.addCredit(payload.readUInt32BE(0))
  }

  #onPing(): void {
    this.#writer.bare(FrameKind.pong)
    this.flushLater()
  }

  #onBody(flags: number, stream: number, payload: Buffer | undefined): void {
    const exchange = this.#exchanges.get(stream)
    if (exchange === undefined) return
    const bytes = payload?.length ?? 0
    const { counters, waiting, maxWaitingBytes } = this.#deps
    counters.bytes(bytes, 0)
    if (payload !== undefined && bytes > 0) exchange.receive(payload)
    if (exchange.isStreamed) {
      if ((flags & endFlag) !== 0) exchange.body?.end()
      return
    }
    waiting.bytes += bytes
    exchange.waitingBytes += bytes
    if ((exchange.body?.bytes ?? 0) > maxBodyBytes) {
      const message = `The body is larger than ${maxBodyBytes / 2 ** 20} MiB.`
      const hint = "A handler takes larger ones as a stream: 'export const streamBody = true'."
      this.#reject(exchange, new KaonError('body_too_large', message, { hint }))
    } else if ((flags & endFlag) !== 0) {
      exchange.body?.end()
      this.#stopWaiting(exchange)
      this.#starting.push(exchange)
    } else if (waiting.bytes > maxWaitingBytes) {
      const message = 'Too many large bodies arrive at once.'
      this.#reject(exchange, new KaonError('overloaded', message, { retryAfterSeconds: 1 }))
    } else exchange.consumed(bytes)
  }

  #reject(exchange: FrameExchange, error: KaonError): void {
    this.#stopWaiting(exchange)
    this.#deps.runner.reject(exchange.call, error)
  }

  #stopWaiting(exchange: FrameExchange): void {
    this.#deps.waiting.bytes -= exchange.waitingBytes
    exchange.waitingBytes = 0
  }

  #onCancel(stream: number, payload: Buffer): void {
    const exchange = this.#exchanges.get(stream)
    if (exchange === undefined) return
    this.#stopWaiting(exchange)
    exchange.cancelled()
    this.#deps.runner.cancel(exchange.call, payload[0] === CancelReason.deadline ? 'deadline' : 'gone')
  }

  /** Marks the calls of this read as started, where that outlives the worker, then starts them. */
  #startAll(): void {
    const starting = this.#starting
    this.#starting = []
    const { slot, saysStarted, socket } = this.#deps
    if (slot !== undefined && !saysStarted) {
      for (const exchange of starting) this.#start(exchange, slot)
      return
    }
    for (const exchange of starting) this.#writer.started(exchange.stream)
    this.flush()
    // What the kernel has not taken yet would die with this process, and the calls would run twice.
    if (socket.writableLength === 0) for (const exchange of starting) this.#start(exchange, undefined)
    else socket.write(Buffer.alloc(0), () => starting.forEach((exchange) => void this.#start(exchange, undefined)))
  }

  #start(exchange: FrameExchange, slot: number | undefined): void {
    const { memory, runner } = this.#deps
    if (slot !== undefined && exchange.stream > (memory.connections[slot + 1] as number)) memory.connections[slot + 1] = exchange.stream
    runner.start(exchange.call)
  }

  #onDrain(): void {
    for (const exchange of this.#exchanges.all()) exchange.pump()
  }

  #onClose(): void {
    this.#isOver = true
    const { slot, memory, runner } = this.#deps
    for (const exchange of this.#exchanges.all()) {
      this.#stopWaiting(exchange)
      exchange.cancelled()
      runner.cancel(exchange.call, 'gone')
    }
    this.#exchanges.clear()
    if (slot !== undefined) memory.connections[slot] = 0
  }
}
