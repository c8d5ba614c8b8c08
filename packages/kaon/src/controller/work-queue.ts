import { type BackoffOptions, backoffMs } from '../base/retry.ts'
import type { Clock, Random, Timer } from '../base/system.ts'

/** What a handler says about its key: look again after this long though nothing changes. */
export type Requeue = { afterMs: number } | undefined

export type WorkQueueDeps = {
  clock: Pick<Clock, 'after'>
  random: Pick<Random, 'fraction'>
  /** Keys worked on side by side. */
  parallelism: number
  backoff: BackoffOptions
  /** Never called twice at once for one key. What it throws puts the key back, later each time. */
  handle(key: string, attempt: number): Promise<Requeue>
}

/** Keys to work on: each at most once in the queue, never two at once for one key, with back-off after an error. */
export class WorkQueue {
  readonly #deps: WorkQueueDeps
  readonly #waiting = new Set<string>()
  readonly #running = new Set<string>()
  readonly #failures = new Map<string, number>()
  readonly #timers = new Map<string, Timer>()
  #stopped = false
  #onIdle: (() => void)[] = []

  constructor(deps: WorkQueueDeps) {
    this.#deps = deps
  }

  /** Keys that wait or run, without those that wait for a time. */
  get depth(): number {
    return this.#waiting.size + this.#running.size
  }

  add(key: string): void {
    if (this.#stopped) return
    this.#waiting.add(key)
    this.#pump()
  }

  /** Adds the key after `delayMs`; the latest call for a key replaces the one before. */
  addAfter(key: string, delayMs: number): void {
    if (this.#stopped) return
    this.#cancel(key)
    const timer = this.#deps.clock.after(
      delayMs,
      () => {
        this.#timers.delete(key)
        this.add(key)
      },
      { idle: true },
    )
    this.#timers.set(key, timer)
  }

  /** Takes nothing new and resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#waiting.clear()
    for (const key of this.#timers.keys()) this.#cancel(key)
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve))
  }

  #cancel(key: string): void {
    this.#timers.get(key)?.cancel()
    this.#timers.delete(key)
  }

  #pump(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#deps.parallelism) return
      if (this.#running.has(key)) continue
      this.#waiting.delete(key)
      this.#running.add(key)
      void this.#run(key)
    }
  }

  async #run(key: string): Promise<void> {
    const failures = this.#failures.get(key) ?? 0
    try {
      const again = await this.#deps.handle(key, failures + 1)
      this.#failures.delete(key)
      if (again === undefined) this.#cancel(key)
      else this.addAfter(key, again.afterMs)
    } catch {
      this.#failures.set(key, failures + 1)
      this.addAfter(key, backoffMs(failures + 1, this.#deps.backoff, this.#deps.random))
    }
    this.#running.delete(key)
    if (!this.#stopped) this.#pump()
    else if (this.#running.size === 0) for (const resolve of this.#onIdle.splice(0)) resolve()
  }
}
