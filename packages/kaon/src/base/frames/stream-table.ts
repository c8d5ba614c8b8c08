/** Numbers are u32 on the wire. */
const largestNumber = 0xffff_ffff
const firstSize = 256

/**
 * The streams of a connection by their numbers, which only rise. A plain array, and not a `Map`: one that is filled and emptied all the time
 * is copied again and again by V8, and each copy that has grown old keeps what stood in it alive through every minor collection
 * (measured here: 20 times longer ones, a fifth of the gateway's time).
 */
export class StreamTable<S extends { readonly id: number }> {
  #slots: (S | undefined)[] = new Array(firstSize).fill(undefined)
  #size = 0
  #next = 1

  get size(): number {
    return this.#size
  }

  /** The number that the next stream must have: the lowest above all before it whose place is free. */
  nextNumber(): number {
    if (this.#size * 2 > this.#slots.length) this.#grow()
    while (this.#slots[this.#next % this.#slots.length] !== undefined) this.#next++
    return this.#next
  }

  /** No more streams can be numbered: the connection has to be replaced. */
  get isWornOut(): boolean {
    return this.#next > largestNumber - 2 * this.#slots.length
  }

  /** Its number must be `nextNumber`. */
  add(stream: S): void {
    this.#slots[stream.id % this.#slots.length] = stream
    this.#size++
    this.#next = stream.id + 1
  }

  get(id: number): S | undefined {
    const stream = this.#slots[id % this.#slots.length]
    return stream?.id === id ? stream : undefined
  }

  has(stream: S): boolean {
    return this.get(stream.id) === stream
  }

  /** False when it is not there. */
  delete(stream: S): boolean {
    if (!this.has(stream)) return false
    this.#slots[stream.id % this.#slots.length] = undefined
    this.#size--
    return true
  }

  /** Those that are there now, oldest first. */
  all(): S[] {
    return this.#slots.filter((stream) => stream !== undefined).sort((a, b) => a.id - b.id)
  }

  /** Places that differ in the smaller array differ in one of twice its size too. */
  #grow(): void {
    const streams = this.all()
    this.#slots = new Array(this.#slots.length * 2).fill(undefined)
    for (const stream of streams) this.#slots[stream.id % this.#slots.length] = stream
  }
}
