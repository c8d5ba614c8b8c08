import { asKaonError, KaonError } from '../base/errors.ts'
import type { LogLevel } from '../base/log.ts'
import { backoffMs } from '../base/retry.ts'
import type { System, Timer } from '../base/system.ts'
import type { LinkWorker } from '../model/link-protocol.ts'
import { WorkerCounter, type WorkerExit, type WorkerHandle } from '../runtimes/worker.ts'
import { CounterTotals } from './counter-totals.ts'

/** A loop that is this much behind is blocked. */
const blockedMs = 1_000
/** A thread that was told to end and is still there after this sits in native code; only the end of its process ends it. */
const stuckMs = 1_000
/** A worker that lived this long starts its back-off anew when it dies. */
const healthyMs = 60_000
const replacementBackoff = { firstMs: 200, maxMs: 10_000 }

export type WorkerStart = { socket: string; handle: WorkerHandle }

export type WorkerSlotDeps = Pick<System, 'clock' | 'random'> & {
  index: number
  start(generation: number): WorkerStart
  /** Calls abandoned after their deadline that one worker may hold before it is replaced. */
  abandonedLimit: number
  /** How long a worker that is being replaced may finish what it runs. */
  retireMs: number
  events: {
    changed(): void
    gone(gone: { index: number; generation: number } & Pick<WorkerExit, 'cause'> & { lastStarted: Record<string, number> }): void
    log(level: LogLevel, message: string, worker: number): void
    /** A replacement would not start, for the `failures`th time in a row. */
    notStarted(error: KaonError, failures: number): void
    /** A worker cannot be ended: the process must. */
    stuck(message: string): void
  }
}

type FirstStart = { resolve(steps: Awaited<WorkerHandle['ready']>): void; reject(error: KaonError): void }
type Running = WorkerStart & { generation: number; readyAt?: number; retireBy?: number; hasFailed?: true; ending?: Promise<void> }

/** The place of one worker: keeps one running in it, replaces what dies or hangs, and counts over all that stood there. */
export class WorkerSlot {
  readonly #deps: WorkerSlotDeps
  readonly totals = new CounterTotals()
  readonly restarts: Partial<Record<WorkerExit['cause'], number>> = {}
  #generation = 0
  #current: Running | undefined
  #starting: Running | undefined
  readonly #retiring = new Set<Running>()
  #draining = false
  #deaths = 0
  #failedStarts = 0
  #fullSince: number | undefined
  #retry: Timer | undefined
  #whenEmpty: (() => void) | undefined

  constructor(deps: WorkerSlotDeps) {
    this.#deps = deps
  }

  /** Where calls may go; undefined while there is no worker. */
  get link(): LinkWorker | undefined {
    const current = this.#current
    return current && { index: this.#deps.index, generation: current.generation, socket: current.socket }
  }

  get handle(): WorkerHandle | undefined {
    return this.#current?.handle
  }

  get hasWorker(): boolean {
    return this.#current !== undefined
  }

  /** The first start. Rejects with what the author must mend. */
  start(): WorkerHandle['ready'] {
    return new Promise((resolve, reject) => this.#launch({ resolve, reject }))
  }

  /** Looks at what runs: ends what is blocked, replaces what is full of abandoned calls. Called every 100 ms. */
  watch(): void {
    const now = this.#deps.clock.monotonic()
    for (const running of this.#all()) {
      const overdueMs = running.handle.overdueMs()
      if (overdueMs > blockedMs && !running.ending)
        void this.#end(running, 'timeout', `its loop was blocked for ${(overdueMs / 1000).toFixed(1)} s past a deadline`)
    }
    const abandoned = this.#current?.handle.counters[WorkerCounter.abandoned] ?? 0
    if (abandoned < this.#deps.abandonedLimit) this.#fullSince = undefined
    else this.#fullSince ??= now
    // A second's patience: a handler that heeds its signal is just about to end.
    if (this.#fullSince !== undefined && now - this.#fullSince >= blockedMs && this.#retry === undefined)
      this.replace('timeout', `${abandoned} calls that nobody waits for any more hold its places`)
    for (const running of this.#retiring)
      if (now >= (running.retireBy ?? 0)) void this.#end(running, 'timeout', 'what it still ran had been given up')
  }

  /** Starts a fresh worker and, when that one is ready, retires the old one: it finishes what it runs, within bounds. */
  replace(cause: WorkerExit['cause'], reason: string): void {
    if (this.#draining || this.#starting !== undefined) return
    this.#count(cause)
    this.#deps.events.log('error', `Worker ${this.#deps.index} is replaced: ${reason}.`, this.#deps.index)
    this.#launch()
  }

  setLogLevel(level: LogLevel): void {
    for (const running of this.#all()) running.handle.setLogLevel(level)
  }

  /** Takes nothing new; resolves when the last worker is gone. */
  drain(): Promise<void> {
    this.#draining = true
    this.#retry?.cancel()
    if (this.#starting !== undefined) void this.#end(this.#starting, 'stopped', 'the replica is draining')
    this.#current?.handle.drain()
    return this.#isEmpty() ? Promise.resolve() : new Promise((resolve) => (this.#whenEmpty = resolve))
  }

  /** Ends whatever is left. */
  async terminate(cause: WorkerExit['cause'], message: string): Promise<void> {
    this.#draining = true
    this.#retry?.cancel()
    await Promise.all([...this.#all()].map((running) => this.#end(running, cause, message)))
  }

  #launch(first?: FirstStart): void {
    this.#retry = undefined
    const generation = ++this.#generation
    const running: Running = { ...this.#deps.start(generation), generation }
    this.#starting = running
    this.totals.attach(running.handle.counters)
    const fail = (error: KaonError) => {
      first?.reject(error)
      this.#notStarted(running, error)
    }
    running.handle.ready.then(
      (steps) => {
        this.#isReady(running)
        first?.resolve(steps)
      },
      (error: unknown) => fail(asKaonError(error)),
    )
    running.handle.exited.then((exit) => {
      if (running.readyAt === undefined) fail(new KaonError('start_failed', `The worker ended before it was ready: ${exit.message}`))
      this.#isGone(running, exit)
    })
  }

  #isReady(running: Running): void {
    if (running !== this.#starting) return
    const old = this.#current
    running.readyAt = this.#deps.clock.monotonic()
    this.#starting = undefined
    this.#current = running
    this.#failedStarts = 0
    if (running.generation > 1)
      this.#deps.events.log('info', `Worker ${this.#deps.index} is ready again (number ${running.generation}).`, this.#deps.index)
    this.#deps.events.changed()
    if (old === undefined) return
    old.retireBy = running.readyAt + this.#deps.retireMs
    this.#retiring.add(old)
    old.handle.drain()
  }

  #notStarted(running: Running, error: KaonError): void {
    if (running !== this.#starting || running.hasFailed || this.#draining) return
    running.hasFailed = true
    this.#failedStarts++
    if (running.generation > 1)
      this.#deps.events.log('error', `Worker ${this.#deps.index} did not start again: ${error.message}`, this.#deps.index)
    this.#deps.events.notStarted(error, this.#failedStarts)
    void this.#end(running, 'crashed', error.message)
  }

  #isGone(running: Running, exit: WorkerExit): void {
    const { index, events, clock } = this.#deps
    const wasCurrent = running === this.#current
    const wasStarting = running === this.#starting
    this.totals.detach(running.handle.counters)
    this.#retiring.delete(running)
    if (wasCurrent) this.#current = undefined
    if (wasStarting) this.#starting = undefined
    events.gone({ index, generation: running.generation, cause: exit.cause, lastStarted: running.handle.lastStarted() })
    if (wasCurrent) events.changed()
    if (this.#draining) {
      if (this.#isEmpty()) this.#whenEmpty?.()
      return
    }
    if (!wasCurrent && !wasStarting) return
    if (wasCurrent) {
      this.#count(exit.cause)
      events.log('error', `Worker ${index} was lost (${exit.cause}): ${exit.message} Another takes its place.`, index)
    }
    const lived = running.readyAt === undefined ? 0 : clock.monotonic() - running.readyAt
    this.#deaths = lived >= healthyMs ? 1 : this.#deaths + 1
    if (this.#starting === undefined && !this.#hasFailedFirst(running)) this.#relaunch()
  }

  /** The first start is the replica's: it fails as a whole and its platform tries again. */
  #hasFailedFirst(running: Running): boolean {
    return running.generation === 1 && running.readyAt === undefined
  }

  #relaunch(): void {
    if (this.#deaths <= 1) {
      this.#launch()
      return
    }
    const delayMs = backoffMs(this.#deaths - 1, replacementBackoff, this.#deps.random)
    this.#retry = this.#deps.clock.after(delayMs, () => this.#launch())
  }

  #end(running: Running, cause: WorkerExit['cause'], message: string): Promise<void> {
    running.ending ??= this.#terminate(running, cause, message)
    return running.ending
  }

  async #terminate(running: Running, cause: WorkerExit['cause'], message: string): Promise<void> {
    const { clock, events, index } = this.#deps
    const timer = clock.after(stuckMs, () => events.stuck(`Worker ${index} could not be ended within ${stuckMs / 1000} s (${message}).`))
    await running.handle.terminate(cause, message).catch(() => undefined)
    await running.handle.exited
    timer.cancel()
  }

  #count(cause: WorkerExit['cause']): void {
    this.restarts[cause] = (this.restarts[cause] ?? 0) + 1
  }

  #isEmpty(): boolean {
    return this.#current === undefined && this.#starting === undefined && this.#retiring.size === 0
  }

  *#all(): Iterable<Running> {
    if (this.#current !== undefined) yield this.#current
    if (this.#starting !== undefined) yield this.#starting
    yield* this.#retiring
  }
}
