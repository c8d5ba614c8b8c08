import { asKaonError, isKaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Clock, Random } from '../base/system.ts'
import { type Requeue, WorkQueue } from './work-queue.ts'

/** Called after each reconciliation, for the metrics. */
export type ObserveReconcile = (controller: string, outcome: 'ok' | 'conflict' | 'error', durationMs: number) => void

export type ReconcilerOptions = {
  name: string
  clock: Pick<Clock, 'after' | 'monotonic'>
  random: Pick<Random, 'fraction'>
  log: Log
  observe: ObserveReconcile
  parallelism?: number
  /** Makes the world a step more as it should be for this key (`namespace/name`). Idempotent; may be stopped at any line and run again. */
  reconcile(key: string): Promise<Requeue>
}

export interface Reconciler {
  enqueue(key: string): void
  enqueueAfter(key: string, delayMs: number): void
  readonly depth: number
  stop(): Promise<void>
}

/** Somebody else wrote first, or the copy was old: look again soon, nothing is wrong. */
const staleCodes = new Set(['conflict', 'already_exists', 'not_found'])

/** A level-triggered loop over keys: each is reconciled after every change, one at a time, and again with back-off when that fails. */
export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { name, clock, random, observe } = options
  const log = options.log.with({ controller: name })
  const queue = new WorkQueue({
    clock,
    random,
    parallelism: options.parallelism ?? 8,
    backoff: { firstMs: 10, maxMs: 30_000 },
    async handle(key, attempt) {
      const startedAt = clock.monotonic()
      try {
        const again = await options.reconcile(key)
        observe(name, 'ok', clock.monotonic() - startedAt)
        return again
      } catch (error) {
        const stale = isKaonError(error) && staleCodes.has(error.code)
        observe(name, stale ? 'conflict' : 'error', clock.monotonic() - startedAt)
        const fields = {
          key,
          attempt,
          code: asKaonError(error).code,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        }
        if (stale && attempt < 5) log.debug('Reconciling met another writer; trying again.', fields)
        else log.warn('Reconciling failed; trying again.', fields)
        throw error
      }
    },
  })
  return {
    enqueue: (key) => queue.add(key),
    enqueueAfter: (key, delayMs) => queue.addAfter(key, delayMs),
    get depth() {
      return queue.depth
    },
    stop: () => queue.stop(),
  }
}
