import { encodeJsonLine, JsonLineDecoder } from '../base/json-lines.ts'
import { backoffMs } from '../base/retry.ts'
import type { Network, Socket, System, Timer } from '../base/system.ts'
import { beatMs, controlProtocolVersion, type FromReplica, type Hello, type ToReplica } from '../model/control-protocol.ts'
import type { Supervisor } from './supervisor.ts'

const redial = { firstMs: 50, maxMs: 2_000 }
const countsPeriodMs = 1_000
/** An empty replica that nobody has wanted for this long has lost its platform for good. */
const emptyPatienceMs = 60_000

export type ControlClientDeps = Pick<System, 'clock' | 'random'> & {
  network: Pick<Network, 'connect'>
  supervisor: Supervisor
  controlSocket: string
  id: string
  pid: number
  token: string
  /** Whether the replica's folder is still there: without it the platform's data were removed and nobody will ever ask for it. */
  hasHome(): boolean
  /** The replica has no place any more: its process should end now. */
  onUnwanted(reason: string): void
}

/** A replica's line to the control plane. It dials for as long as it lives: the control plane may come and go. */
export class ControlClient {
  readonly #deps: ControlClientDeps
  #socket: Socket | undefined
  #isWelcome = false
  #attempt = 0
  #closed = false
  #retry: Timer | undefined
  #lastWelcomeAt: number
  #lastCounts = ''
  readonly #countsTimer: Timer
  readonly #beatTimer: Timer

  constructor(deps: ControlClientDeps) {
    this.#deps = deps
    this.#lastWelcomeAt = deps.clock.monotonic()
    this.#countsTimer = deps.clock.every(countsPeriodMs, () => this.#sendCounts())
    this.#beatTimer = deps.clock.every(beatMs, () => this.#send({ kind: 'beat' }))
    deps.supervisor.onChange(() => this.#send({ kind: 'report', report: deps.supervisor.report }))
    this.#dial()
  }

  /** Sends the last counts, closes, and resolves when all that was said is on its way. */
  async close(): Promise<void> {
    this.#sendCounts()
    this.#closed = true
    this.#countsTimer.cancel()
    this.#beatTimer.cancel()
    this.#retry?.cancel()
    const socket = this.#socket
    if (socket === undefined || socket.destroyed) return
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve())
      socket.end(() => socket.destroySoon())
    })
  }

  #dial(): void {
    const { network, controlSocket, supervisor, id, pid, token } = this.#deps
    const decoder = new JsonLineDecoder()
    const socket = network.connect(controlSocket)
    this.#socket = socket
    socket.on('connect', () => {
      const hello: Hello = { kind: 'hello', version: controlProtocolVersion, role: 'replica', id, pid, token, report: supervisor.report }
      socket.write(encodeJsonLine(hello))
    })
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const message of decoder.push(chunk)) this.#take(message as ToReplica)
      } catch {
        socket.destroy()
      }
    })
    socket.on('error', () => undefined)
    socket.on('close', () => this.#redial())
  }

  #redial(): void {
    this.#isWelcome = false
    if (this.#closed) return
    const { clock, random, supervisor, hasHome, onUnwanted } = this.#deps
    const aloneMs = clock.monotonic() - this.#lastWelcomeAt
    if (!hasHome()) onUnwanted('the folder of the replica is gone')
    else if (supervisor.report.phase === 'empty' && aloneMs > emptyPatienceMs) onUnwanted('the control plane did not come back')
    else this.#retry = clock.after(backoffMs(++this.#attempt, redial, random), () => this.#dial())
  }

  #take(message: ToReplica): void {
    const { supervisor, clock, onUnwanted } = this.#deps
    switch (message.kind) {
      case 'welcome':
        this.#isWelcome = true
        this.#attempt = 0
        this.#lastWelcomeAt = clock.monotonic()
        this.#lastCounts = ''
        // From the first beat on its silence is noticed.
        this.#send({ kind: 'beat' })
        // The report may have changed between the hello and its answer.
        this.#send({ kind: 'report', report: supervisor.report })
        return
      case 'assign':
        // A second assignment is refused by the supervisor, and a start that fails is in the report.
        supervisor.start(message.assignment).catch(() => undefined)
        return
      case 'log-level':
        supervisor.setLogLevel(message.level)
        return
      case 'drain':
        void supervisor.drain(message.graceMs)
        return
      case 'refused':
        onUnwanted(message.reason)
        return
      default:
        // A newer control plane may say more than this replica knows.
        message satisfies never
    }
  }

  #sendCounts(): void {
    if (!this.#isWelcome || this.#deps.supervisor.report.phase === 'empty') return
    const counts = this.#deps.supervisor.counts()
    const { memoryBytes, ...calls } = counts
    // Memory alone moves all the time; a page of 4 MiB is worth telling.
    const text = JSON.stringify([calls, Math.round(memoryBytes / 2 ** 22)])
    if (text === this.#lastCounts) return
    this.#lastCounts = text
    this.#send({ kind: 'counts', ...counts })
  }

  #send(message: FromReplica): void {
    if (this.#isWelcome) this.#socket?.write(encodeJsonLine(message))
  }
}
