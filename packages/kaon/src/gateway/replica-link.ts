import { JsonLineDecoder } from '../base/json-lines.ts'
import type { Log } from '../base/log.ts'
import { backoffMs } from '../base/retry.ts'
import type { Network, Socket, System, Timer } from '../base/system.ts'
import { type FromSupervisor, type LinkWorker, linkProtocolVersion } from '../model/link-protocol.ts'
import { WorkerConnection } from './worker-connection.ts'

const redial = { firstMs: 20, maxMs: 1_000 }
/** How long a supervisor may take to say which calls a dead worker had started. */
const verdictMs = 2_000

export type ReplicaLinkDeps = Pick<System, 'clock' | 'random'> & { network: Pick<Network, 'connect'>; log: Log }

export type ReplicaLinkEvents = {
  /** A worker takes calls. */
  onReady(connection: WorkerConnection): void
  /** It takes no more; calls that it has go on. */
  onUnready(connection: WorkerConnection): void
}

type LinkedWorker = LinkWorker & {
  connection: WorkerConnection | undefined
  isReady: boolean
  /** The supervisor no longer names it. */
  isRetired: boolean
  lastStarted: Record<string, number> | undefined
  isUnsettled: boolean
  attempt: number
  timer: Timer | undefined
}

/** Follows one replica for as long as it is in the table: hears from its supervisor where its workers are, and keeps a connection to each. */
export class ReplicaLink {
  readonly #deps: ReplicaLinkDeps
  readonly #path: string
  readonly #events: ReplicaLinkEvents
  readonly #workers = new Map<string, LinkedWorker>()
  #socket: Socket | undefined
  #attempt = 0
  #retry: Timer | undefined
  #isClosed = false

  constructor(deps: ReplicaLinkDeps, path: string, events: ReplicaLinkEvents) {
    this.#deps = deps
    this.#path = path
    this.#events = events
    this.#dial()
  }

  /** The replica is no longer in the table: it gets no more calls, and is let go when those it has are done. */
  close(): void {
    this.#isClosed = true
    this.#retry?.cancel()
    for (const worker of this.#workers.values()) this.#retire(worker)
    this.#forgetIfDone()
  }

  /** A sign of life of every worker that has nothing to do. */
  checkIdle(): void {
    for (const { connection } of this.#workers.values()) connection?.checkIdle()
  }

  #dial(): void {
    const decoder = new JsonLineDecoder()
    const socket = this.#deps.network.connect(this.#path)
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const message of decoder.push(chunk)) this.#take(message as FromSupervisor)
      } catch (error) {
        this.#deps.log.warn('A replica does not keep to the link protocol.', { link: this.#path, reason: String(error) })
        socket.destroy()
      }
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#lostLink(socket))
  }

  #lostLink(socket: Socket): void {
    if (this.#socket === socket) this.#socket = undefined
    // With the supervisor gone nobody will ever say what its workers had started.
    for (const worker of this.#workers.values()) if (worker.isUnsettled) this.#settle(worker)
    if (this.#isClosed) return
    this.#retry = this.#deps.clock.after(backoffMs(++this.#attempt, redial, this.#deps.random), () => this.#dial(), { idle: true })
  }

  #take(message: FromSupervisor): void {
    switch (message.kind) {
      case 'hello':
        if (message.version !== linkProtocolVersion) throw new Error(`version ${message.version}, not ${linkProtocolVersion}`)
        this.#attempt = 0
        return
      case 'workers':
        this.#takeWorkers(message.draining, message.workers)
        return
      case 'gone': {
        const worker = this.#workers.get(`${message.index}.${message.generation}`)
        if (worker === undefined) return
        worker.lastStarted = message.lastStarted
        this.#retire(worker)
        if (worker.isUnsettled) this.#settle(worker)
        return
      }
      default:
        // A newer supervisor may say more than this gateway knows.
        message satisfies never
    }
  }

  #takeWorkers(isDraining: boolean, named: readonly LinkWorker[]): void {
    const keys = new Set(named.map(keyOf))
    for (const [key, worker] of this.#workers) if (isDraining || !keys.has(key)) this.#retire(worker)
    if (isDraining || this.#isClosed) return
    for (const worker of named) {
      const key = keyOf(worker)
      if (this.#workers.has(key)) continue
      const linked: LinkedWorker = {
        ...worker,
        connection: undefined,
        isReady: false,
        isRetired: false,
        lastStarted: undefined,
        isUnsettled: false,
        attempt: 0,
        timer: undefined,
      }
      this.#workers.set(key, linked)
      this.#connect(linked)
    }
  }

  #connect(worker: LinkedWorker): void {
    worker.timer = undefined
    const connection = new WorkerConnection(
      { network: this.#deps.network, clock: this.#deps.clock, socket: worker.socket },
      {
        onReady: () => {
          worker.attempt = 0
          if (worker.isRetired) return
          worker.isReady = true
          this.#events.onReady(connection)
        },
        onWornOut: () => {
          this.#unready(worker)
          connection.closeWhenIdle()
        },
        onClosed: (failure) => {
          if (failure !== undefined)
            this.#deps.log.error('A connection to a worker was given up.', { socket: worker.socket, error: failure })
          this.#disconnected(worker, connection)
        },
      },
    )
    worker.connection = connection
  }

  #disconnected(worker: LinkedWorker, connection: WorkerConnection): void {
    // First of all, so that none of its calls is sent to it again.
    this.#unready(worker)
    worker.isUnsettled = connection.settleKnown()
    if (worker.isUnsettled && worker.lastStarted === undefined && this.#socket !== undefined) {
      worker.timer = this.#deps.clock.after(verdictMs, () => this.#settle(worker), { idle: true })
      return
    }
    this.#settle(worker)
  }

  /** Tells the calls of a broken connection what became of them, and connects again if the worker should still be there. */
  #settle(worker: LinkedWorker): void {
    worker.timer?.cancel()
    const { connection, lastStarted } = worker
    worker.isUnsettled = false
    worker.connection = undefined
    if (connection !== undefined) connection.settle(lastStarted === undefined ? undefined : (lastStarted[String(connection.number)] ?? 0))
    if (worker.isRetired) {
      this.#workers.delete(keyOf(worker))
      this.#forgetIfDone()
      return
    }
    worker.timer = this.#deps.clock.after(backoffMs(++worker.attempt, redial, this.#deps.random), () => this.#connect(worker), {
      idle: true,
    })
  }

  #retire(worker: LinkedWorker): void {
    this.#unready(worker)
    if (worker.isRetired) return
    worker.isRetired = true
    if (worker.connection !== undefined) {
      if (!worker.isUnsettled) worker.connection.closeWhenIdle()
      return
    }
    worker.timer?.cancel()
    this.#workers.delete(keyOf(worker))
  }

  #unready(worker: LinkedWorker): void {
    if (!worker.isReady || worker.connection === undefined) return
    worker.isReady = false
    this.#events.onUnready(worker.connection)
  }

  #forgetIfDone(): void {
    if (this.#isClosed && this.#workers.size === 0) this.#socket?.destroy()
  }
}

function keyOf({ index, generation }: { index: number; generation: number }): string {
  return `${index}.${generation}`
}
