/** What waits; the queue keeps its links inside, so that one that goes away leaves at once. */
export type Held = {
  /** Bytes that it keeps in memory while it waits. */
  heldBytes: number
  queue: HoldQueue | undefined
  before: Held | undefined
  behind: Held | undefined
}

export type HoldLimits = { maxHeld: number; maxHeldBytes: number }

/** Calls that wait for a replica: first in, first out, bounded by count and by bytes. */
export class HoldQueue {
  readonly #limits: HoldLimits
  #first: Held | undefined
  #last: Held | undefined
  #length = 0
  #bytes = 0

  constructor(limits: HoldLimits) {
    this.#limits = limits
  }

  get length(): number {
    return this.#length
  }

  get first(): Held | undefined {
    return this.#first
  }

  /** False when it does not fit. */
  push(held: Held): boolean {
    if (!this.#fits(held)) return false
    this.#enter(held, this.#last, undefined)
    return true
  }

  /** To the front: for a call that was sent and came back. */
  unshift(held: Held): boolean {
    if (!this.#fits(held)) return false
    this.#enter(held, undefined, this.#first)
    return true
  }

  /** Takes it out, wherever it stands; nothing when it stands in no queue or in another. */
  remove(held: Held): void {
    if (held.queue !== this) return
    if (held.before === undefined) this.#first = held.behind
    else held.before.behind = held.behind
    if (held.behind === undefined) this.#last = held.before
    else held.behind.before = held.before
    held.queue = undefined
    held.before = undefined
    held.behind = undefined
    this.#length--
    this.#bytes -= held.heldBytes
  }

  #fits(held: Held): boolean {
    return this.#length < this.#limits.maxHeld && this.#bytes + held.heldBytes <= this.#limits.maxHeldBytes
  }

  #enter(held: Held, before: Held | undefined, behind: Held | undefined): void {
    held.queue = this
    held.before = before
    held.behind = behind
    if (before === undefined) this.#first = held
    else before.behind = held
    if (behind === undefined) this.#last = held
    else behind.before = held
    this.#length++
    this.#bytes += held.heldBytes
  }
}
