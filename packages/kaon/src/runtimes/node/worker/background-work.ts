import type { LogQueue } from './log-queue.ts'
import { plainError } from './plain-fields.ts'

/** What handlers hand to `waitUntil`: watched, so that a failure is logged and not fatal, and awaited before the worker ends. */
export class BackgroundWork {
  readonly #logs: LogQueue
  readonly #timeoutMs: number
  #running = 0
  #onDone: (() => void) | undefined

  constructor(logs: LogQueue, timeoutMs: number) {
    this.#logs = logs
    this.#timeoutMs = timeoutMs
  }

  add(promise: PromiseLike<unknown>, requestId: string): void {
    this.#running++
    Promise.resolve(promise)
      .catch((thrown: unknown) => {
        const said = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
        const fields = thrown instanceof Error ? { fields: plainError(thrown) } : {}
        this.#logs.add({
          level: 'error',
          msg: `Work given to waitUntil failed: ${said}`,
          ...(requestId === '' ? {} : { requestId }),
          ...fields,
        })
      })
      .finally(() => {
        if (--this.#running === 0) this.#onDone?.()
      })
  }

  /** Resolves when all of it is done, at the latest after the function's timeout. */
  done(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onDone = resolve
      setTimeout(resolve, this.#timeoutMs)
    })
  }
}
