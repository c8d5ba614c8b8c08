import { durationBucketsSeconds, WorkerCounter } from '../../worker.ts'

const boundsMs = durationBucketsSeconds.map((seconds) => seconds * 1_000)

/** Writes a worker's counters: one writer, plain stores, sums kept as doubles here and stored modulo 2³². */
export class Counters {
  readonly #slots: Uint32Array
  #inFlight = 0
  #inFlightMs = 0
  #durationMs = 0
  #changedAt: number

  constructor(slots: Uint32Array, now: number) {
    this.#slots = slots
    this.#changedAt = now
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get abandoned(): number {
    return this.#slots[WorkerCounter.abandoned] as number
  }

  admitted(now: number): void {
    this.integrate(now)
    this.#slots[WorkerCounter.inFlight] = ++this.#inFlight
  }

  started(): void {
    this.#slots[WorkerCounter.started]!++
  }

  released(now: number): void {
    this.integrate(now)
    this.#slots[WorkerCounter.inFlight] = --this.#inFlight
  }

  finished(durationMs: number, isFailed: boolean): void {
    this.#slots[WorkerCounter.finished]!++
    if (isFailed) this.#slots[WorkerCounter.failed]!++
    this.#durationMs += durationMs
    this.#slots[WorkerCounter.durationMs] = this.#durationMs
    let bucket = 0
    while (bucket < boundsMs.length && durationMs > (boundsMs[bucket] as number)) bucket++
    this.#slots[WorkerCounter.firstBucket + bucket]!++
  }

  timedOut(): void {
    this.#slots[WorkerCounter.timedOut]!++
  }

  /** A gauge: calls whose caller was answered or went away while the handler still runs. */
  changeAbandoned(by: 1 | -1): void {
    this.#slots[WorkerCounter.abandoned]! += by
  }

  bytes(received: number, sent: number): void {
    this.#slots[WorkerCounter.requestBytes]! += received
    this.#slots[WorkerCounter.responseBytes]! += sent
  }

  /** Brings the integral of calls in flight over time up to `now`. */
  integrate(now: number): void {
    if (this.#inFlight > 0) {
      this.#inFlightMs += this.#inFlight * (now - this.#changedAt)
      this.#slots[WorkerCounter.inFlightMs] = this.#inFlightMs
    }
    this.#changedAt = now
  }
}
