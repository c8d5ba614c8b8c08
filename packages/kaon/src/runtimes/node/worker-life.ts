import { KaonError } from '../../base/errors.ts'
import type { Clock, Timer } from '../../base/system.ts'
import type { StartSteps } from '../../model/control-protocol.ts'
import type { WorkerExit, WorkerLogLine } from '../worker.ts'
import type { WorkerMemory } from './worker-memory.ts'
import type { FromWorker, ToWorker } from './worker-messages.ts'

export type WorkerLifeDeps = {
  clock: Pick<Clock, 'after'>
  startTimeoutMs: number
  handlerFile: string
  memory: WorkerMemory
  post(message: ToWorker): void
  /** Ends the thread or process now. */
  kill(): Promise<void> | void
  onLog(lines: WorkerLogLine[]): void
}

type Ready = StartSteps & { httpPort?: number }

const metricsTimeoutMs = 1_000

/** What a supervisor knows of one worker, whichever form it has: starting, ready, ended and why. */
export class WorkerLife {
  readonly ready: Promise<Ready>
  readonly exited: Promise<WorkerExit>
  readonly #deps: WorkerLifeDeps
  readonly #resolveReady: (ready: Ready) => void
  readonly #rejectReady: (error: KaonError) => void
  readonly #resolveExited: (exit: WorkerExit) => void
  readonly #startTimer: Timer
  readonly #metrics = new Map<number, (text: string) => void>()
  #metricsCount = 0
  #exit: WorkerExit | undefined

  constructor(deps: WorkerLifeDeps) {
    this.#deps = deps
    const ready = Promise.withResolvers<Ready>()
    const exited = Promise.withResolvers<WorkerExit>()
    this.ready = ready.promise
    this.exited = exited.promise
    this.ready.catch(() => undefined)
    this.#resolveReady = ready.resolve
    this.#rejectReady = ready.reject
    this.#resolveExited = exited.resolve
    this.#startTimer = deps.clock.after(deps.startTimeoutMs, () => this.#startTookTooLong(), { idle: true })
  }

  onMessage(message: FromWorker): void {
    switch (message.kind) {
      case 'ready': {
        this.#startTimer.cancel()
        const { steps, httpPort } = message
        this.#resolveReady({ ...steps, ...(httpPort === undefined ? {} : { httpPort }) })
        break
      }
      case 'failed':
        this.#rejectReady(new KaonError(message.code, message.message, message.hint === undefined ? {} : { hint: message.hint }))
        break
      case 'log':
        this.#deps.onLog(message.lines)
        this.#deps.post({ kind: 'logged', lines: message.lines.length })
        break
      case 'metrics':
        this.#metrics.get(message.id)?.(message.text)
        break
      case 'ending':
        this.#exit ??= { cause: message.cause, message: message.message }
        break
      case 'vitals':
        if (message.counters !== undefined) this.#deps.memory.counters.set(message.counters.slice(0, this.#deps.memory.counters.length))
        this.#deps.memory.deadlineAt = message.deadlineAt
        break
      default:
        message satisfies never
    }
  }

  /** The thread or process is gone. What was said first about why stands. */
  onExit(exit: WorkerExit): void {
    this.#startTimer.cancel()
    this.#exit ??= exit
    this.#rejectReady(new KaonError('start_failed', `'${this.#deps.handlerFile}' did not start: ${this.#exit.message}`))
    for (const resolve of this.#metrics.values()) resolve('')
    this.#resolveExited(this.#exit)
  }

  /** What ended the worker, as the first who knows says it. */
  because(exit: WorkerExit): void {
    this.#exit ??= exit
  }

  async terminate(cause: WorkerExit['cause'], message: string): Promise<void> {
    this.because({ cause, message })
    await this.#deps.kill()
    await this.exited
  }

  /** Empty when the worker does not answer within a second. */
  customMetrics(): Promise<string> {
    const id = ++this.#metricsCount
    return new Promise((resolve) => {
      const finish = (text: string) => {
        timer.cancel()
        this.#metrics.delete(id)
        resolve(text)
      }
      const timer = this.#deps.clock.after(metricsTimeoutMs, () => finish(''), { idle: true })
      this.#metrics.set(id, finish)
      this.#deps.post({ kind: 'metrics', id })
    })
  }

  #startTookTooLong(): void {
    const message = `it was not ready within ${this.#deps.startTimeoutMs / 1_000} s`
    this.#rejectReady(
      new KaonError('start_failed', `'${this.#deps.handlerFile}' did not start: ${message}.`, {
        hint: "Loading the module or its 'init' does not end.",
      }),
    )
    void this.terminate('timeout', `At its start ${message}.`)
  }
}
