/** Buckets grow by a tenth of their size: any value is known to within 10 %, in constant memory. */
const growth = 1.1
const firstMs = 0.01

/** Latencies counted in logarithmic buckets. */
export class LatencyHistogram {
  readonly #counts: number[] = []
  #total = 0
  #maxMs = 0
  #sumMs = 0

  add(ms: number): void {
    const index = Math.max(0, Math.ceil(Math.log(Math.max(ms, firstMs) / firstMs) / Math.log(growth)))
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#total += 1
    this.#sumMs += ms
    if (ms > this.#maxMs) this.#maxMs = ms
  }

  /** The latency that this share (0 to 1) of all calls did not exceed; 0 without calls. */
  quantile(share: number): number {
    let left = Math.ceil(this.#total * share)
    for (const [index, count = 0] of this.#counts.entries()) {
      left -= count
      if (left <= 0) return Math.min(this.#maxMs, firstMs * growth ** index)
    }
    return this.#maxMs
  }

  get maxMs(): number {
    return this.#maxMs
  }

  get meanMs(): number {
    return this.#total === 0 ? 0 : this.#sumMs / this.#total
  }

  /** Rows of `[upTo ms, calls]`, joined to about `rows` of them. */
  rows(rows: number): [number, number][] {
    const first = this.#counts.findIndex((count) => count > 0)
    if (first === -1) return []
    const step = Math.max(1, Math.ceil((this.#counts.length - first) / rows))
    const joined: [number, number][] = []
    for (let from = first; from < this.#counts.length; from += step) {
      const calls = this.#counts.slice(from, from + step).reduce((sum, count = 0) => sum + count, 0)
      joined.push([firstMs * growth ** (from + step - 1), calls])
    }
    return joined
  }
}
