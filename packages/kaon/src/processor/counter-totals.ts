import { durationBucketsSeconds, WorkerCounter } from '../runtimes/worker.ts'

const counterCount = WorkerCounter.firstBucket + durationBucketsSeconds.length + 1
/** These say what is now, not what has been: they die with their worker. */
const gauges = new Set<number>([WorkerCounter.inFlight, WorkerCounter.abandoned])

/** Sums over a worker and those that stood in its place before. Counters wrap at 2³²: differences are taken modulo that, often enough. */
export class CounterTotals {
  readonly #totals = new Float64Array(counterCount)
  readonly #seen = new Map<Uint32Array, Uint32Array>()

  attach(counters: Uint32Array): void {
    this.#seen.set(counters, new Uint32Array(counterCount))
  }

  /** The last reading of a worker that is gone. */
  detach(counters: Uint32Array): void {
    this.#fold(counters)
    this.#seen.delete(counters)
  }

  /** One value for each `WorkerCounter` and bucket, since the replica started. */
  read(): Float64Array {
    for (const counters of this.#seen.keys()) this.#fold(counters)
    const values = Float64Array.from(this.#totals)
    for (const gauge of gauges) for (const counters of this.#seen.keys()) values[gauge]! += counters[gauge] ?? 0
    return values
  }

  #fold(counters: Uint32Array): void {
    const last = this.#seen.get(counters)
    if (last === undefined) return
    for (let i = 0; i < counterCount; i++) {
      if (gauges.has(i)) continue
      const now = counters[i] ?? 0
      this.#totals[i]! += (now - last[i]!) >>> 0
      last[i] = now
    }
  }
}
