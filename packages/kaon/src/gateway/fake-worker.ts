import { endFlag, FrameDecoder, FrameKind, protocolVersion } from '../base/frames/frame.ts'
import { FrameWriter } from '../base/frames/frame-writer.ts'
import { type RequestHead, readRequestHead, readTrailers } from '../base/frames/head.ts'
import { encodeJsonLine } from '../base/json-lines.ts'
import type { Network, Server, Socket } from '../base/system.ts'
import type { FromSupervisor } from '../model/link-protocol.ts'

// For tests of the gateway: a replica that speaks the real protocols over real sockets, and whose handler is the test itself.

/** One call as the test sees it; it answers by the connection's own frames. */
export type FakeCall = {
  stream: number
  head: RequestHead
  body: Buffer[]
  bodyBytes: number
  isEnded: boolean
  trailers: readonly string[]
  cancelled: number | undefined
  credit: number
  connection: FakeConnection
  onChange: (() => void) | undefined
  reply(status: number, headers: string[], body: string | Buffer | undefined): void
}

export type FakeConnection = { socket: Socket; writer: FrameWriter; number: number; calls: Map<number, FakeCall>; flush(): void }

export type FakeReplicaOptions = {
  network: Pick<Network, 'createServer'>
  /** Folder for the sockets. */
  folder: string
  id: string
  windowBytes?: number
  /** A worker that is a process: says STARTED for each call before `onCall`. */
  saysStarted?: boolean
  /** Whether credit is given for what comes; true when left out. */
  consumes?: boolean
  onCall(call: FakeCall): void
}

export class FakeReplica {
  readonly #options: FakeReplicaOptions
  readonly #links = new Set<Socket>()
  readonly connections = new Set<FakeConnection>()
  #linkServer: Server | undefined
  #workerServer: Server | undefined
  #connections = 0
  #generation = 1
  #isDraining = false
  readonly calls: FakeCall[] = []
  pings = 0

  constructor(options: FakeReplicaOptions) {
    this.#options = options
  }

  get link(): string {
    return `${this.#options.folder}/l-${this.#options.id}.sock`
  }

  async start(): Promise<this> {
    this.#linkServer = this.#options.network.createServer((socket) => {
      this.#links.add(socket)
      socket.on('error', () => undefined).on('close', () => this.#links.delete(socket))
      this.#tell(socket, { kind: 'hello', replica: this.#options.id, revisionUid: 'u', version: 1 })
      this.#tell(socket, this.#workers())
    })
    await this.#startWorker()
    await listen(this.#linkServer, this.link)
    return this
  }

  drain(): void {
    this.#isDraining = true
    for (const socket of this.#links) this.#tell(socket, this.#workers())
  }

  /** The worker dies: its sockets break, and the supervisor says what it had started; then another takes its place. */
  async killWorker(lastStarted: number, options: { tells: boolean } = { tells: true }): Promise<void> {
    const gone: FromSupervisor = {
      kind: 'gone',
      index: 0,
      generation: this.#generation,
      cause: 'crashed',
      lastStarted: Object.fromEntries([...this.connections].map(({ number }) => [String(number), lastStarted])),
    }
    for (const { socket } of this.connections) socket.destroy()
    this.#workerServer?.close()
    this.#generation++
    await this.#startWorker()
    if (options.tells) for (const socket of this.#links) this.#tell(socket, gone)
    for (const socket of this.#links) this.#tell(socket, this.#workers())
  }

  /** Everything breaks at once, as by kill -9 of the replica. */
  kill(): void {
    for (const { socket } of this.connections) socket.destroy()
    for (const socket of this.#links) socket.destroy()
    this.#workerServer?.close()
    this.#linkServer?.close()
  }

  #workers(): FromSupervisor {
    const worker = { index: 0, generation: this.#generation, socket: this.#workerPath() }
    return { kind: 'workers', draining: this.#isDraining, workers: [worker] }
  }

  #workerPath(): string {
    return `${this.#options.folder}/w-${this.#options.id}-${this.#generation}.sock`
  }

  #tell(socket: Socket, message: FromSupervisor): void {
    socket.write(encodeJsonLine(message))
  }

  async #startWorker(): Promise<void> {
    this.#workerServer = this.#options.network.createServer((socket) => this.#accept(socket))
    await listen(this.#workerServer, this.#workerPath())
  }

  #accept(socket: Socket): void {
    const writer = new FrameWriter()
    let isScheduled = false
    const connection: FakeConnection = {
      socket,
      writer,
      number: ++this.#connections,
      calls: new Map(),
      flush: () => {
        if (isScheduled) return
        isScheduled = true
        queueMicrotask(() => {
          isScheduled = false
          for (const part of writer.take()) socket.write(part)
        })
      },
    }
    this.connections.add(connection)
    writer.hello(protocolVersion, this.#options.windowBytes ?? 262_144, connection.number)
    connection.flush()
    const decoder = new FrameDecoder()
    socket.on('error', () => undefined).on('close', () => this.connections.delete(connection))
    socket.on('data', (chunk) => decoder.push(chunk as Buffer, (...frame) => this.#onFrame(connection, ...frame)))
  }

  #onFrame(connection: FakeConnection, kind: number, flags: number, stream: number, payload: Buffer): void {
    const isEnd = (flags & endFlag) !== 0
    if (kind === FrameKind.request) {
      this.#start(connection, stream, readRequestHead(payload), isEnd)
      return
    }
    if (kind === FrameKind.ping) {
      this.pings++
      connection.writer.bare(FrameKind.pong)
      connection.flush()
      return
    }
    const call = connection.calls.get(stream)
    if (call === undefined) return
    if (kind === FrameKind.data) {
      call.body.push(payload)
      call.bodyBytes += payload.length
      if (this.#options.consumes !== false && payload.length > 0) {
        connection.writer.credit(stream, payload.length)
        connection.flush()
      }
    } else if (kind === FrameKind.trailers) call.trailers = readTrailers(payload)
    else if (kind === FrameKind.cancel) call.cancelled = payload[0]
    else if (kind === FrameKind.credit) call.credit += payload.readUInt32BE(0)
    call.isEnded ||= isEnd
    call.onChange?.()
  }

  #start(connection: FakeConnection, stream: number, head: RequestHead, isEnded: boolean): void {
    const call: FakeCall = {
      stream,
      head,
      body: [],
      bodyBytes: 0,
      isEnded,
      trailers: [],
      cancelled: undefined,
      credit: 262_144,
      connection,
      onChange: undefined,
      reply: (status, headers, body) => {
        connection.writer.response(stream, { status, headers }, body === undefined)
        if (body !== undefined) connection.writer.data(stream, typeof body === 'string' ? Buffer.from(body) : body, true)
        connection.flush()
      },
    }
    connection.calls.set(stream, call)
    this.calls.push(call)
    if (this.#options.saysStarted === true) {
      connection.writer.started(stream)
      connection.flush()
    }
    this.#options.onCall(call)
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => server.once('error', reject).listen(path, resolve))
}
