import type { Random } from '../base/system.ts'

/** Ids of requests and traces: random enough to be unlike those of any other gateway, counted so that each costs next to nothing. */
export class RequestIds {
  readonly #prefix: string
  readonly #tracePrefix: string
  #count = 0
  #span: number

  constructor(random: Pick<Random, 'bytes'>) {
    this.#prefix = `${random.bytes(6).toString('hex')}-`
    // Never all zero, which the format forbids.
    this.#tracePrefix = `00-${random.bytes(11).toString('hex')}1${random.bytes(1).toString('hex').slice(1)}`
    this.#span = random.bytes(4).readUInt32BE()
  }

  next(): string {
    return this.#prefix + (++this.#count).toString(36)
  }

  /** A `traceparent` of a new trace that nobody samples. */
  nextTrace(): string {
    this.#span = (this.#span + 0x9e3779b1) >>> 0
    const low = this.#span.toString(16).padStart(8, '0')
    return `${this.#tracePrefix}${low}-1${this.#tracePrefix.slice(4, 11)}${low}-00`
  }
}
