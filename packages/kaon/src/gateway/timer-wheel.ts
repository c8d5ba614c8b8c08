import type { Clock, Timer } from '../base/system.ts'

/** What falls due once; the wheel keeps its links inside. Make one by `createTimed`, or carry the fields yourself. */
export type Timed = {
  /** On the monotonic clock. */
  dueAt: number
  slot: number
  previous: Timed | undefined
  next: Timed | undefined
  onDue(): void
}

const tickMs = 10
const slots = 1_024

/**
 * The deadlines of every call with one timer: setting and taking back one costs a few assignments, however many there are and whatever
 * their lengths. None is early; one may be late by a tick. Stands still, and wakes nobody, while it is empty.
 */
export class TimerWheel {
  readonly #clock: Pick<Clock, 'monotonic' | 'after'>
  readonly #heads: (Timed | undefined)[] = new Array(slots).fill(undefined)
  #count = 0
  /** The last tick that was looked at. */
  #tick = 0
  #timer: Timer | undefined

  constructor(clock: Pick<Clock, 'monotonic' | 'after'>) {
    this.#clock = clock
  }

  add(timed: Timed, dueAt: number): void {
    if (this.#count === 0) this.#tick = Math.floor(this.#clock.monotonic() / tickMs)
    timed.dueAt = dueAt
    const slot = Math.max(this.#tick + 1, Math.ceil(dueAt / tickMs)) % slots
    const head = this.#heads[slot]
    timed.slot = slot
    timed.previous = undefined
    timed.next = head
    if (head !== undefined) head.previous = timed
    this.#heads[slot] = timed
    this.#count++
    this.#timer ??= this.#clock.after(tickMs, () => this.#turn())
  }

  /** Nothing happens when it was not in the wheel. */
  remove(timed: Timed): void {
    if (timed.slot === -1) return
    if (timed.previous === undefined) this.#heads[timed.slot] = timed.next
    else timed.previous.next = timed.next
    if (timed.next !== undefined) timed.next.previous = timed.previous
    timed.previous = undefined
    timed.next = undefined
    timed.slot = -1
    this.#count--
  }

  #turn(): void {
    this.#timer = undefined
    const now = this.#clock.monotonic()
    const current = Math.floor(now / tickMs)
    // After a long pause each slot is looked at once, not once for every tick that was missed.
    const from = Math.max(this.#tick + 1, current - slots + 1)
    this.#tick = current
    for (let tick = from; tick <= current; tick++) this.#expire(tick % slots, now)
    if (this.#count > 0) this.#timer ??= this.#clock.after(tickMs, () => this.#turn())
  }

  #expire(slot: number, now: number): void {
    let due: Timed[] | undefined
    for (let timed = this.#heads[slot]; timed !== undefined; timed = timed.next) {
      if (timed.dueAt <= now) {
        due ??= []
        due.push(timed)
      }
    }
    if (due === undefined) return
    for (const timed of due) {
      // An earlier one may have taken it back.
      if (timed.slot !== slot || timed.dueAt > now) continue
      this.remove(timed)
      timed.onDue()
    }
  }
}

/** A timer that is not in the wheel yet. */
export function createTimed(onDue: () => void): Timed {
  return { dueAt: 0, slot: -1, previous: undefined, next: undefined, onDue }
}
