import { type HistogramFamily, MetricsRegistry, type NumberFamily } from '../base/metrics.ts'

/** The series of one revision, found once. */
export type RevisionSeries = {
  /** Of the answers 1xx to 5xx, by their first digit less one. */
  codes: number[]
  duration: number
  inFlight: number
  held: number
}

const durationBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const labels = ['namespace', 'function', 'revision'] as const

/** What the gateway counts. Counting a call allocates nothing. */
export class GatewayMetrics {
  readonly #registry = new MetricsRegistry()
  readonly #requests: NumberFamily
  readonly #duration: HistogramFamily
  readonly #inFlight: NumberFamily
  readonly #held: NumberFamily
  readonly #bytes: NumberFamily
  readonly #received: number
  readonly #sent: number
  readonly #refused: NumberFamily

  constructor() {
    const name = (rest: string) => `kaon_gateway_${rest}`
    this.#requests = this.#registry.counter({ name: name('requests_total'), help: 'Answered calls.', labels: [...labels, 'code'] })
    this.#duration = this.#registry.histogram(
      { name: name('request_duration_seconds'), help: 'From the head of the request to the end of the answer.', labels },
      durationBounds,
    )
    this.#inFlight = this.#registry.gauge({ name: name('in_flight'), help: 'Calls that a worker has.', labels })
    this.#held = this.#registry.gauge({ name: name('held'), help: 'Calls that wait for a worker.', labels })
    this.#bytes = this.#registry.counter({ name: name('body_bytes_total'), help: 'Body bytes.', labels: ['direction'] })
    this.#refused = this.#registry.counter({
      name: name('refused_total'),
      help: 'Requests that were answered by the gateway itself, by the code of the error.',
      labels: ['code'],
    })
    this.#received = this.#bytes.series('received')
    this.#sent = this.#bytes.series('sent')
  }

  revision(namespace: string, functionName: string, revision: string): RevisionSeries {
    const own = [namespace, functionName, revision]
    return {
      codes: [1, 2, 3, 4, 5].map((digit) => this.#requests.series(...own, `${digit}xx`)),
      duration: this.#duration.series(...own),
      inFlight: this.#inFlight.series(...own),
      held: this.#held.series(...own),
    }
  }

  /** Forgets the series of a revision that is no longer served. */
  forget(series: RevisionSeries): void {
    for (const code of series.codes) this.#requests.remove(code)
    this.#duration.remove(series.duration)
    this.#inFlight.remove(series.inFlight)
    this.#held.remove(series.held)
  }

  answered(series: RevisionSeries, status: number, seconds: number): void {
    this.#requests.add(series.codes[Math.min(4, Math.max(0, Math.floor(status / 100) - 1))] as number, 1)
    this.#duration.observe(series.duration, seconds)
  }

  refused(code: string): void {
    this.#refused.add(this.#refused.series(code), 1)
  }

  inFlight(series: RevisionSeries, count: number): void {
    this.#inFlight.set(series.inFlight, count)
  }

  held(series: RevisionSeries, count: number): void {
    this.#held.set(series.held, count)
  }

  received(bytes: number): void {
    this.#bytes.add(this.#received, bytes)
  }

  sent(bytes: number): void {
    this.#bytes.add(this.#sent, bytes)
  }

  render(): string {
    return this.#registry.render()
  }
}
