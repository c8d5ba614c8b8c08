import { KaonError } from '../base/errors.ts'
import { CancelReason, defaultWindowBytes, endFlag, FrameDecoder, FrameKind, protocolVersion } from '../base/frames/frame.ts'
import { FrameWriter } from '../base/frames/frame-writer.ts'
import { type RequestHead, readResponseHead, readTrailers } from '../base/frames/head.ts'
import { StreamTable } from '../base/frames/stream-table.ts'
import type { Clock, Network, Socket } from '../base/system.ts'
import { type StreamEvents, WorkerStream } from './worker-stream.ts'

/** Bytes that may wait in our own memory for a worker that does not read, before clients are not read either. */
const maxUnwrittenBytes = 1024 * 1024

export type WorkerConnectionDeps = { network: Pick<Network, 'connect'>; clock: Pick<Clock, 'endOfTurn'>; socket: string }

export type WorkerConnectionEvents = {
  /** The worker said HELLO: calls may be sent. */
  onReady(): void
  /** Its numbers are used up: it should get no more calls, and be replaced. */
  onWornOut(): void
  /** Nothing more comes. Calls that were under way wait for `settleKnown` and `settle`. `failure`: what came could not be taken. */
  onClosed(failure: unknown): void
}

/** One connection to one worker: many calls at once, all frames of a turn in one write. */
export class WorkerConnection {
  readonly #deps: WorkerConnectionDeps
  readonly #events: WorkerConnectionEvents
  readonly #socket: Socket
  readonly #writer = new FrameWriter()
  readonly #decoder = new FrameDecoder()
  readonly #streams = new StreamTable<WorkerStream>()
  /** Calls that were cancelled and whose handlers have not settled: what is told when they have, by stream. */
  readonly #abandoned = new Map<number, () => void>()
  /** Streams whose head came without body and waits for the end of what was read. */
  #toFlush: WorkerStream[] = []
  /** The first stream whose REQUEST has not been given to the socket. */
  #firstUnwritten = 1
  #peerWindow = 0
  #isScheduled = false
  #isBlocked = false
  #isClosed = false
  #closesWhenIdle = false
  /** A worker that is a process says STARTED; without it nothing was. */
  #saysStarted = false
  #isPinged = false
  #isReady = false
  #failure: unknown
  /** The number that the worker gave this connection. */
  number = 0

  constructor(deps: WorkerConnectionDeps, events: WorkerConnectionEvents) {
    this.#deps = deps
    this.#events = events
    this.#socket = deps.network.connect(deps.socket)
    this.#socket.on('connect', () => {
      this.#writer.hello(protocolVersion, defaultWindowBytes, 0)
      this.#flush()
    })
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#socket.on('drain', () => this.#unblock())
    this.#socket.on('error', () => this.#socket.destroy())
    this.#socket.on('close', () => this.#closed())
  }

  get isIdle(): boolean {
    return this.#streams.size === 0
  }

  /** Sends a call; `body` is all of it when `isEnd`. Only after `onReady`. */
  open(head: RequestHead, body: Buffer | undefined, isEnd: boolean, events: StreamEvents): WorkerStream {
    const stream = new WorkerStream(this.#streams.nextNumber(), events, this.#peerWindow, defaultWindowBytes)
    this.#writer.request(stream.id, head, isEnd && body === undefined)
    // Below the line, since a head that is too large for a frame throws.
    this.#streams.add(stream)
    if (this.#streams.isWornOut) this.#events.onWornOut()
    if (body !== undefined) this.send(stream, body, isEnd)
    else if (isEnd) stream.isRequestEnded = true
    this.#schedule()
    return stream
  }

  /** Body bytes that may be sent now. */
  room(stream: WorkerStream): number {
    return this.#isBlocked || this.#isClosed ? 0 : stream.sendWindow
  }

  /** Sends body bytes, no more than `room`. */
  send(stream: WorkerStream, bytes: Uint8Array, isEnd: boolean): void {
    stream.sendWindow -= bytes.byteLength
    stream.isRequestEnded = isEnd
    this.#writer.data(stream.id, bytes, isEnd)
    this.#schedule()
  }

  sendTrailers(stream: WorkerStream, trailers: readonly string[]): void {
    stream.isRequestEnded = true
    this.#writer.trailers(stream.id, trailers)
    this.#schedule()
  }

  /** The client has taken so many bytes of the answer: the worker may send as many more. */
  consumed(stream: WorkerStream, bytes: number): void {
    const credit = stream.consume(bytes)
    if (credit === 0 || this.#isClosed) return
    this.#writer.credit(stream.id, credit)
    this.#schedule()
  }

  /** Wants no more of this call. `onSettled` comes once: when the worker says that its handler has settled, or the connection is gone. */
  cancel(stream: WorkerStream, reason: number, onSettled: () => void): void {
    if (this.#isClosed || !this.#streams.has(stream)) {
      this.#forget(stream)
      onSettled()
      return
    }
    this.#writer.cancel(stream.id, reason)
    this.#schedule()
    this.#abandoned.set(stream.id, onSettled)
    this.#forget(stream)
  }

  /** Closes now when nothing is under way, else when it no longer is. */
  closeWhenIdle(): void {
    this.#closesWhenIdle = true
    if (this.isIdle) this.#socket.destroy()
  }

  /** Asks for a sign of life when nothing is under way; a connection that has not answered the last time is given up. */
  checkIdle(): void {
    if (!this.isIdle || this.#isClosed || !this.#isReady) return
    if (this.#isPinged) {
      this.#socket.destroy()
      return
    }
    this.#isPinged = true
    this.#writer.bare(FrameKind.ping)
    this.#schedule()
  }

  /** After it closed: ends the calls whose fate is plain from here, and says whether there are others. */
  settleKnown(): boolean {
    for (const stream of this.#streams.all()) {
      if (stream.id >= this.#firstUnwritten) this.#lose(stream, true)
      else if (stream.isStarted || this.#saysStarted) this.#lose(stream, !stream.isStarted)
    }
    return !this.isIdle
  }

  /** For calls that were under way when it closed: those after `lastStarted` never ran; undefined when nobody knows. */
  settle(lastStarted: number | undefined): void {
    for (const stream of this.#streams.all()) this.#lose(stream, lastStarted !== undefined && stream.id > lastStarted && !stream.isStarted)
  }

  #read(chunk: Buffer): void {
    this.#isPinged = false
    try {
      this.#decoder.push(chunk, this.#onFrame)
    } catch (error) {
      this.#failure = error
      this.#socket.destroy()
      return
    }
    if (this.#toFlush.length === 0) return
    const heads = this.#toFlush
    this.#toFlush = []
    for (const stream of heads) stream.events.onPause()
  }

  readonly #onFrame = (kind: number, flags: number, id: number, payload: Buffer): void => {
    if (id === 0) {
      this.#onConnectionFrame(kind, payload)
      return
    }
    const stream = this.#streams.get(id)
    const isEnd = (flags & endFlag) !== 0
    if (stream === undefined) {
      // What was on its way when a call was cancelled; the last of it says that the handler has settled.
      if (isEnd || kind === FrameKind.cancel || kind === FrameKind.refused) this.#settled(id)
      return
    }
    switch (kind) {
      case FrameKind.response: {
        const { status, headers } = readResponseHead(payload)
        stream.isStarted = true
        if (isEnd) this.#finish(stream)
        else this.#toFlush.push(stream)
        stream.events.onResponse(status, headers, isEnd)
        return
      }
      case FrameKind.data:
        stream.receive(payload.length)
        if (isEnd) this.#finish(stream)
        stream.events.onData(payload, isEnd)
        return
      case FrameKind.trailers: {
        const trailers = readTrailers(payload)
        this.#finish(stream)
        stream.events.onTrailers(trailers)
        return
      }
      case FrameKind.credit:
        if (payload.length !== 4) throw new KaonError('protocol_error', 'A CREDIT frame must have 4 bytes.')
        stream.sendWindow += payload.readUInt32BE(0)
        stream.isStarted = true
        stream.events.onWritable()
        return
      case FrameKind.cancel:
        this.#forget(stream)
        stream.events.onCancelled()
        return
      case FrameKind.refused:
        this.#forget(stream)
        stream.events.onRefused(payload[0] ?? 0)
        return
      case FrameKind.started:
        this.#saysStarted = true
        stream.isStarted = true
        stream.events.onStarted()
        return
      default:
        throw new KaonError('protocol_error', `A worker sent a frame of kind ${kind}.`)
    }
  }

  #onConnectionFrame(kind: number, payload: Buffer): void {
    if (kind === FrameKind.ping) {
      this.#writer.bare(FrameKind.pong)
      this.#schedule()
    } else if (kind === FrameKind.hello && payload.length >= 10 && !this.#isReady) {
      const version = payload.readUInt16BE(0)
      if (version !== protocolVersion)
        throw new KaonError('protocol_error', `The worker speaks version ${version}, not ${protocolVersion}.`)
      this.#peerWindow = payload.readUInt32BE(2)
      this.number = payload.readUInt32BE(6)
      this.#isReady = true
      this.#events.onReady()
    } else if (kind !== FrameKind.pong) throw new KaonError('protocol_error', `A worker sent a frame of kind ${kind} on stream 0.`)
  }

  /** The answer is whole. A request that is not is of no more use. */
  #finish(stream: WorkerStream): void {
    this.#forget(stream)
    if (stream.isRequestEnded) return
    this.#writer.cancel(stream.id, CancelReason.failed)
    this.#schedule()
  }

  #forget(stream: WorkerStream): boolean {
    const was = this.#streams.delete(stream)
    if (this.#closesWhenIdle && this.isIdle) this.#deps.clock.endOfTurn(() => this.isIdle && this.#socket.destroySoon())
    return was
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#deps.clock.endOfTurn(() => this.#flush())
  }

  #flush(): void {
    this.#isScheduled = false
    if (this.#isClosed || this.#socket.destroyed) return
    const parts = this.#writer.take()
    this.#firstUnwritten = this.#streams.nextNumber()
    if (parts.length > 1) this.#socket.cork()
    for (const part of parts) this.#socket.write(part)
    if (parts.length > 1) this.#socket.uncork()
    if (this.#socket.writableLength > maxUnwrittenBytes) this.#isBlocked = true
  }

  #unblock(): void {
    if (!this.#isBlocked) return
    this.#isBlocked = false
    for (const stream of this.#streams.all()) if (this.#streams.get(stream.id) === stream) stream.events.onWritable()
  }

  #closed(): void {
    this.#isClosed = true
    // First of all it gets no more calls: places that come free here are not for those who wait.
    this.#events.onClosed(this.#failure)
    for (const id of [...this.#abandoned.keys()]) this.#settled(id)
  }

  #settled(id: number): void {
    const onSettled = this.#abandoned.get(id)
    this.#abandoned.delete(id)
    onSettled?.()
  }

  #lose(stream: WorkerStream, mayGoElsewhere: boolean): void {
    if (this.#streams.delete(stream)) stream.events.onLost(mayGoElsewhere)
  }
}
