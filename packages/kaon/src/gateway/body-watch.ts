import type { Clock } from '../base/system.ts'
import type { RequestBody } from './request-body.ts'
import { createTimed, type Timed, type TimerWheel } from './timer-wheel.ts'

export type BodyWatchOptions = {
  body: RequestBody
  clock: Pick<Clock, 'monotonic'>
  wheel: TimerWheel
  idleMs: number
  onLate(): void
}

/** Notices that a client stopped in the middle of its body, so that it does not keep a place for ever. */
export class BodyWatch {
  readonly #options: BodyWatchOptions
  readonly #timer: Timed
  #heardAt: number

  constructor(options: BodyWatchOptions) {
    this.#options = options
    this.#heardAt = options.clock.monotonic()
    this.#timer = createTimed(() => this.#look())
    options.wheel.add(this.#timer, this.#heardAt + options.idleMs)
  }

  heard(): void {
    this.#heardAt = this.#options.clock.monotonic()
  }

  stop(): void {
    this.#options.wheel.remove(this.#timer)
  }

  #look(): void {
    const { body, clock, wheel, idleMs, onLate } = this.#options
    const now = clock.monotonic()
    // Not reading is our doing: only a client that is waited for can be late.
    if (body.isPaused) this.#heardAt = now
    if (this.#heardAt + idleMs > now) wheel.add(this.#timer, this.#heardAt + idleMs)
    else onLate()
  }
}
