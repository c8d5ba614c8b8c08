/** What has a deadline; the list keeps its links inside. */
export type Timed = { deadlineAt: number; isTimed: boolean; earlier: Timed | undefined; later: Timed | undefined }

export type DeadlinesDeps = {
  now(): number
  after(delayMs: number, action: () => void): void
  /** Told whenever the earliest deadline changes; 0 = none. */
  onEarliest(at: number): void
}

/**
 * All deadlines of a worker with one timer. A sorted list: calls mostly have the same timeout, so that a new one belongs at the end,
 * and neither a start nor an end of a call touches the timer.
 */
export class Deadlines<T extends Timed> {
  readonly #deps: DeadlinesDeps
  readonly #onDue: (due: T) => void
  #first: T | undefined
  #last: T | undefined
  #timerAt = 0

  constructor(deps: DeadlinesDeps, onDue: (due: T) => void) {
    this.#deps = deps
    this.#onDue = onDue
  }

  add(timed: T): void {
    let before = this.#last
    while (before !== undefined && before.deadlineAt > timed.deadlineAt) before = before.earlier as T | undefined
    timed.isTimed = true
    timed.earlier = before
    timed.later = before === undefined ? this.#first : before.later
    if (timed.later === undefined) this.#last = timed
    else timed.later.earlier = timed
    if (before === undefined) this.#becomesFirst(timed)
    else before.later = timed
  }

  remove(timed: T): void {
    if (!timed.isTimed) return
    timed.isTimed = false
    if (timed.later === undefined) this.#last = timed.earlier as T | undefined
    else timed.later.earlier = timed.earlier
    if (timed.earlier === undefined) this.#becomesFirst(timed.later as T | undefined)
    else timed.earlier.later = timed.later
    timed.earlier = undefined
    timed.later = undefined
  }

  #becomesFirst(timed: T | undefined): void {
    this.#first = timed
    this.#deps.onEarliest(timed === undefined ? 0 : timed.deadlineAt)
    if (timed !== undefined && (this.#timerAt === 0 || timed.deadlineAt < this.#timerAt)) this.#arm(timed.deadlineAt)
  }

  #arm(at: number): void {
    this.#timerAt = at
    this.#deps.after(Math.max(0, Math.ceil(at - this.#deps.now())), () => {
      if (this.#timerAt === at) this.#expire()
    })
  }

  #expire(): void {
    this.#timerAt = 0
    const now = this.#deps.now()
    while (this.#first !== undefined && this.#first.deadlineAt <= now) {
      const due = this.#first
      this.remove(due)
      this.#onDue(due)
    }
    if (this.#first !== undefined && this.#timerAt === 0) this.#arm(this.#first.deadlineAt)
  }
}
