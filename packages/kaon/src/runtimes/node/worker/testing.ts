// What the tests of the worker share: an artifact made by hand, a real worker on it, and a gateway's end of a connection.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultWindowBytes, FrameDecoder, FrameKind, protocolVersion } from '../../../base/frames/frame.ts'
import { FrameWriter } from '../../../base/frames/frame-writer.ts'
import { type RequestHead, readResponseHead } from '../../../base/frames/head.ts'
import type { ArtifactManifest } from '../../../model/artifact.ts'
import type { ReplicaAssignment } from '../../../model/assignment.ts'
import type { WorkerExit, WorkerHandle, WorkerLogLine } from '../../worker.ts'
import { createNodeWorkers } from '../start-worker.ts'

const files = { thread: new URL('./thread-entry.ts', import.meta.url), process: new URL('./process-entry.ts', import.meta.url) }

const world = {
  clock: {
    after(delayMs: number, action: () => void) {
      const timer = setTimeout(action, delayMs).unref()
      return { cancel: () => clearTimeout(timer) }
    },
  },
  files: { rm },
  processes: { spawn, nodePath: process.execPath },
}

export type Rig = AsyncDisposable & {
  folder: string
  handle: WorkerHandle
  logs: WorkerLogLine[]
  /** Connects as a gateway does. */
  gateway(windowBytes?: number): Promise<TestGateway>
  /** The first log line that fits, waiting for it. */
  log(fits: (line: WorkerLogLine) => boolean): Promise<WorkerLogLine>
}

export type RigOptions = {
  assignment?: Partial<ReplicaAssignment>
  manifest?: Partial<ArtifactManifest>
  http?: { host: string; port: number }
  startTimeoutMs?: number
  /** More files of the artifact. */
  files?: Record<string, string>
}

let count = 0

/** Starts a worker on `code`, a CommonJS bundle (or a module, as the manifest says). */
export function startRig(code: string, options: RigOptions = {}): Rig {
  const folder = mkdtempSync(join(tmpdir(), 'kw-'))
  const manifest: ArtifactManifest = {
    version: 1,
    digest: 'sha256:test',
    runtime: 'node',
    entry: 'handler.js',
    format: 'commonjs',
    exportName: 'default',
    handlerFile: 'handler.ts',
    filesFolder: 'files',
    ...options.manifest,
  }
  for (const [name, text] of Object.entries({ [manifest.entry]: code, ...options.files })) writeFileSync(join(folder, name), text)
  const assignment: ReplicaAssignment = {
    namespace: 'default',
    function: 'hello',
    functionUid: 'f',
    revision: 'hello-00001',
    revisionUid: 'r',
    runtime: 'node',
    artifactFolder: folder,
    env: { GREETING: 'hi' },
    secrets: { 'api.key': 'opensesame' },
    files: [],
    workers: 1,
    isolation: 'thread',
    concurrency: 0,
    timeoutMs: 5_000,
    memoryBytes: 128 * 2 ** 20,
    logLevel: 'debug',
    logFolder: folder,
    gatewaySocket: join(folder, 'gateway.sock'),
    ...options.assignment,
  }
  const logs: WorkerLogLine[] = []
  const start = createNodeWorkers({ ...world, workerFile: files, startTimeoutMs: options.startTimeoutMs ?? 10_000 })
  const socket = join(folder, `w${++count}.sock`)
  const http = options.http === undefined ? {} : { http: options.http }
  const handle = start({ assignment, manifest, index: 0, generation: 1, socket, ...http, onLog: (lines) => void logs.push(...lines) })
  const gateways: TestGateway[] = []
  return {
    folder,
    handle,
    logs,
    async gateway(windowBytes) {
      await handle.ready
      const gateway = await TestGateway.connect(socket, windowBytes)
      gateways.push(gateway)
      await until(
        () => gateway.windowBytes > 0,
        () => 'HELLO',
      )
      return gateway
    },
    log: (fits) =>
      until(
        () => logs.find(fits),
        () => `a log line; there are ${JSON.stringify(logs)}`,
      ),
    async [Symbol.asyncDispose]() {
      for (const gateway of gateways) gateway.socket.destroy()
      await handle.terminate('stopped', 'The test is over.')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Waits, at most 5 s, until `look` finds something. */
export async function until<T>(look: () => T | undefined | false, what: () => string): Promise<T> {
  const deadline = performance.now() + 5_000
  for (;;) {
    const found = look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > deadline) throw new Error(`Waited in vain for ${what()}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export type Answered = {
  status: number
  headers: Record<string, string | string[]>
  body: Buffer
  text: string
  /** How the stream ended: END, CANCEL, REFUSED, or with the connection. */
  ending: 'end' | 'cancel' | 'refused' | 'closed'
  reason: number
  isStarted: boolean
}

/** One call as a gateway sees it. */
export class TestCall {
  readonly stream: number
  status = 0
  headers: Record<string, string | string[]> = {}
  chunks: Buffer[] = []
  credit = 0
  isStarted = false
  ending: Answered['ending'] | undefined
  reason = 0

  constructor(stream: number) {
    this.stream = stream
  }

  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  done(): Promise<Answered> {
    return until(
      () => {
        if (this.ending === undefined) return undefined
        const body = Buffer.concat(this.chunks)
        const { status, headers, ending, reason, isStarted } = this
        return { status, headers, body, text: body.toString('utf8'), ending, reason, isStarted }
      },
      () => `the end of stream ${this.stream}`,
    )
  }
}

/** The gateway's end of a connection to a worker. */
export class TestGateway {
  readonly socket: Socket
  readonly writer = new FrameWriter()
  readonly calls = new Map<number, TestCall>()
  connection = 0
  windowBytes = 0
  pongs = 0
  isClosed = false
  /** Gives credit back for each byte at once, unless a test holds it. */
  givesCredit = true
  #streams = 0

  static connect(path: string, windowBytes = defaultWindowBytes): Promise<TestGateway> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => resolve(new TestGateway(socket, windowBytes)))
      socket.once('error', reject)
    })
  }

  constructor(socket: Socket, windowBytes: number) {
    this.socket = socket
    const decoder = new FrameDecoder()
    socket.on('data', (chunk: Buffer) => decoder.push(chunk, (kind, flags, stream, payload) => this.#onFrame(kind, flags, stream, payload)))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.isClosed = true
      for (const call of this.calls.values()) call.ending ??= 'closed'
    })
    this.writer.hello(protocolVersion, windowBytes, 0)
    this.flush()
  }

  flush(): void {
    for (const part of this.writer.take()) this.socket.write(part)
  }

  /** A call with its whole body, or with none. */
  call(head: Partial<RequestHead> = {}, body?: string | Uint8Array): TestCall {
    const call = this.open(head, body === undefined)
    if (body !== undefined) this.send(call, body, true)
    return call
  }

  /** Begins a call whose body follows by `send`. */
  open(head: Partial<RequestHead> = {}, end = false): TestCall {
    const call = new TestCall(++this.#streams)
    this.calls.set(call.stream, call)
    const { stream } = call
    this.writer.request(stream, { method: 'GET', target: '/', requestId: `r${stream}`, deadlineMs: 0, headers: [], ...head }, end)
    this.flush()
    return call
  }

  send(call: TestCall, bytes: string | Uint8Array, end: boolean): void {
    this.writer.data(call.stream, Buffer.from(bytes), end)
    this.flush()
  }

  cancel(call: TestCall, reason: number): void {
    this.writer.cancel(call.stream, reason)
    this.flush()
  }

  #onFrame(kind: number, flags: number, stream: number, payload: Buffer): void {
    if (kind === FrameKind.hello) {
      this.windowBytes = payload.readUInt32BE(2)
      this.connection = payload.readUInt32BE(6)
      return
    }
    if (kind === FrameKind.pong) {
      this.pongs++
      return
    }
    const call = this.calls.get(stream)
    if (call === undefined) throw new Error(`A frame for the unknown stream ${stream}.`)
    if (kind === FrameKind.started) call.isStarted = true
    else if (kind === FrameKind.response) this.#onResponse(call, payload)
    else if (kind === FrameKind.data && payload.length > 0) this.#onData(call, payload)
    else if (kind === FrameKind.credit) call.credit += payload.readUInt32BE(0)
    else if (kind === FrameKind.cancel || kind === FrameKind.refused) {
      call.ending ??= kind === FrameKind.cancel ? 'cancel' : 'refused'
      call.reason = payload[0] as number
    }
    if ((flags & 1) !== 0) call.ending ??= 'end'
  }

  #onResponse(call: TestCall, payload: Buffer): void {
    const head = readResponseHead(payload)
    call.status = head.status
    for (let i = 0; i < head.headers.length; i += 2) {
      const name = head.headers[i] as string
      const value = head.headers[i + 1] as string
      const there = call.headers[name]
      call.headers[name] = there === undefined ? value : [there, value].flat()
    }
  }

  #onData(call: TestCall, payload: Buffer): void {
    call.chunks.push(Buffer.from(payload))
    if (!this.givesCredit) return
    this.writer.credit(call.stream, payload.length)
    this.flush()
  }
}

export type { WorkerExit }
