import { durationBucketsSeconds, WorkerCounter } from '../worker.ts'

export const heartbeatMs = 1_000
export const counterSlots = WorkerCounter.firstBucket + durationBucketsSeconds.length + 1
/** Connections whose last started stream is kept in memory; beyond them a thread says STARTED as a process does. */
export const connectionSlots = 64

const vitalBytes = 16
const bytes = vitalBytes + counterSlots * 4 + connectionSlots * 8

/**
 * What a worker writes and its supervisor reads: one writer, plain stores, no atomics. For a thread it is shared memory that the supervisor
 * owns and that outlives the thread; for a process each side has its own and the worker sends what changed.
 * Times are on the machine's monotonic clock, which threads and processes share.
 */
export class WorkerMemory {
  readonly buffer: SharedArrayBuffer
  readonly counters: Uint32Array
  /** Pairs: number of the connection (0 = free), last stream whose handler was started. */
  readonly connections: Uint32Array
  readonly #vital: Float64Array
  /** Told of each new earliest deadline, where there is no memory to share. */
  onDeadline: ((at: number) => void) | undefined

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(bytes)) {
    this.buffer = buffer
    this.#vital = new Float64Array(buffer, 0, 2)
    this.counters = new Uint32Array(buffer, vitalBytes, counterSlots)
    this.connections = new Uint32Array(buffer, vitalBytes + counterSlots * 4, connectionSlots * 2)
  }

  get beatAt(): number {
    return this.#vital[0] as number
  }

  beat(now: number): void {
    this.#vital[0] = now
  }

  get deadlineAt(): number {
    return this.#vital[1] as number
  }

  /** The earliest deadline of a call that is not answered; 0 when there is none. */
  set deadlineAt(at: number) {
    this.#vital[1] = at
    this.onDeadline?.(at)
  }

  lastStarted(): Record<string, number> {
    const last: Record<string, number> = {}
    for (let i = 0; i < this.connections.length; i += 2)
      if (this.connections[i] !== 0) last[String(this.connections[i])] = this.connections[i + 1] as number
    return last
  }

  /**
   * How long ago the worker should have handled its earliest deadline. Without a call in flight: how long its heartbeat is late beyond the
   * function's timeout, since a call may compute for that long and so may what it left running.
   */
  overdueMs(now: number, timeoutMs: number): number {
    const deadline = this.deadlineAt === 0 ? 0 : now - this.deadlineAt
    const beat = this.beatAt === 0 ? 0 : now - this.beatAt - Math.max(timeoutMs, heartbeatMs)
    return Math.max(0, deadline, beat)
  }
}

/** Held here: the global is an accessor, looked up anew at each call. */
const { performance } = globalThis
const offsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** Milliseconds on the machine's monotonic clock; the same in each thread and process of it. */
export function machineNow(): number {
  return performance.now() + offsetMs
}
