const firstSize = 256

/**
 * The open calls of a connection by their streams. A plain array, and not a `Map`: see `StreamTable`, the gateway's. Here the numbers are
 * given, so that two calls may want one place; the later one then goes to a map, which is seldom touched.
 */
export class OpenStreams<S extends { readonly stream: number }> {
  /** Twice as many as there are calls, so that few of them share a place. Its length is a power of two. */
  #slots: (S | undefined)[] = new Array(firstSize).fill(undefined)
  #displaced: Map<number, S> | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get(stream: number): S | undefined {
    const found = this.#slots[stream & (this.#slots.length - 1)]
    return found?.stream === stream ? found : this.#displaced?.get(stream)
  }

  add(open: S): void {
    if (this.#size * 2 >= this.#slots.length) this.#grow()
    this.#size++
    this.#place(open)
  }

  delete(stream: number): void {
    const place = stream & (this.#slots.length - 1)
    if (this.#slots[place]?.stream === stream) this.#slots[place] = undefined
    else if (this.#displaced?.delete(stream) !== true) return
    this.#size--
  }

  /** Those that are open now, oldest first. */
  all(): S[] {
    const all = [...this.#slots, ...(this.#displaced?.values() ?? [])]
    return all.filter((open) => open !== undefined).sort((a, b) => a.stream - b.stream)
  }

  clear(): void {
    this.#slots = new Array(firstSize).fill(undefined)
    this.#displaced = undefined
    this.#size = 0
  }

  #place(open: S): void {
    const place = open.stream & (this.#slots.length - 1)
    if (this.#slots[place] === undefined) this.#slots[place] = open
    else {
      this.#displaced ??= new Map()
      this.#displaced.set(open.stream, open)
    }
  }

  #grow(): void {
    const all = this.all()
    this.#slots = new Array(this.#slots.length * 2).fill(undefined)
    this.#displaced = undefined
    for (const open of all) this.#place(open)
  }
}
