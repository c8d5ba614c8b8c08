import type { Clock } from '../base/system.ts'

/** Between two reports, unless a queue was empty before. */
const periodMs = 100

/** Says that calls wait: at once when the first does, and in a steady rhythm while their number changes. */
export class WaitingReports {
  readonly #clock: Pick<Clock, 'after' | 'endOfTurn'>
  readonly #report: (revisionUid: string) => void
  readonly #changed = new Set<string>()
  readonly #wasWaiting = new Set<string>()
  #isScheduled = false

  constructor(clock: Pick<Clock, 'after' | 'endOfTurn'>, report: (revisionUid: string) => void) {
    this.#clock = clock
    this.#report = report
  }

  changed(revisionUid: string, count: number): void {
    const isFirst = count > 0 && !this.#wasWaiting.has(revisionUid)
    if (count > 0) this.#wasWaiting.add(revisionUid)
    else this.#wasWaiting.delete(revisionUid)
    if (isFirst) {
      this.#clock.endOfTurn(() => this.#report(revisionUid))
      return
    }
    this.#changed.add(revisionUid)
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#clock.after(periodMs, () => this.#flush(), { idle: true })
  }

  #flush(): void {
    this.#isScheduled = false
    const changed = [...this.#changed]
    this.#changed.clear()
    for (const uid of changed) this.#report(uid)
  }
}
