import { asKaonError, type ErrorCode, errorTable, isKaonError, KaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { backoffMs } from '../base/retry.ts'
import type { Clock, Random } from '../base/system.ts'
import type { Builder, BuildResult } from '../model/builder.ts'
import type { Stored } from '../model/metadata.ts'
import { functionLabel, type RevisionResource } from '../model/revision.ts'
import { queueKey } from './objects.ts'

export type BuildState =
  | { kind: 'waiting' | 'building' }
  | { kind: 'built'; result: BuildResult; durationMs: number }
  /** With `retryAtMs` (monotonic) it will be tried again. */
  | { kind: 'failed'; error: KaonError; lastLines: string[]; retryAtMs?: number }

/** Where the lines of a build go, kept per revision. */
export interface BuildLogWriter {
  open(namespace: string, revision: string): { line(text: string): void; close(): Promise<void> }
}

export type BuildsDeps = {
  builder: Pick<Builder, 'build'>
  buildLogs: BuildLogWriter
  clock: Pick<Clock, 'monotonic'>
  random: Pick<Random, 'fraction'>
  log: Log
  parallelism: number
  /** Called with `namespace/name` of a revision whose state changed. */
  onChange(key: string): void
}

type Entry = {
  key: string
  revision: Stored<RevisionResource>
  state: BuildState
  stop: AbortController
  attempts: number
  done: Promise<void>
}

/** Failures that can pass by themselves though the table calls them final, or that an upload mends, and how soon to look again at most. */
const slowRetryMs: Partial<Record<ErrorCode, number>> = { source_missing: 10_000, dependencies_failed: 600_000 }

/** Builds of this life of the process, at most so many side by side. What was built stands in the revision's status; a build that was cut off is simply asked for again. */
export class Builds {
  readonly #deps: BuildsDeps
  readonly #entries = new Map<string, Entry>()
  readonly #queue: Entry[] = []
  #running = 0

  constructor(deps: BuildsDeps) {
    this.#deps = deps
  }

  /** Asks for the build, unless it is under way, done, or waits for its next try; and says how it stands. */
  request(revision: Stored<RevisionResource>): BuildState {
    const { uid } = revision.metadata
    const entry = this.#entries.get(uid)
    if (entry === undefined) return this.#begin(revision, 0)
    if (entry.state.kind !== 'failed') return entry.state
    const { retryAtMs } = entry.state
    if (retryAtMs !== undefined && retryAtMs <= this.#deps.clock.monotonic()) return this.#begin(revision, entry.attempts)
    return entry.state
  }

  has(uid: string): boolean {
    return this.#entries.has(uid)
  }

  /** Forgets what is known, ending the build if it runs. */
  cancel(uid: string): void {
    this.#entries.get(uid)?.stop.abort(new KaonError('build_failed', 'The build was cancelled.'))
    this.#entries.delete(uid)
  }

  async stop(): Promise<void> {
    const entries = [...this.#entries.values()]
    for (const { metadata } of entries.map(({ revision }) => revision)) this.cancel(metadata.uid)
    await Promise.all(entries.map(({ done }) => done))
  }

  #begin(revision: Stored<RevisionResource>, attempts: number): BuildState {
    const entry: Entry = {
      key: queueKey(revision),
      revision,
      state: { kind: 'waiting' },
      stop: new AbortController(),
      attempts: attempts + 1,
      done: Promise.resolve(),
    }
    this.#entries.set(revision.metadata.uid, entry)
    this.#queue.push(entry)
    this.#pump()
    return entry.state
  }

  #pump(): void {
    while (this.#running < this.#deps.parallelism) {
      const entry = this.#queue.shift()
      if (entry === undefined) return
      if (entry.stop.signal.aborted) continue
      this.#running++
      entry.state = { kind: 'building' }
      entry.done = this.#build(entry).finally(() => {
        this.#running--
        this.#pump()
        if (this.#entries.get(entry.revision.metadata.uid) === entry) this.#deps.onChange(entry.key)
      })
    }
  }

  async #build(entry: Entry): Promise<void> {
    const { clock, log } = this.#deps
    const { metadata, spec } = entry.revision
    const namespace = metadata.namespace ?? ''
    const startedAt = clock.monotonic()
    const lastLines: string[] = []
    try {
      const buildLog = this.#deps.buildLogs.open(namespace, metadata.name)
      const line = (text: string) => {
        lastLines.push(text)
        if (lastLines.length > 5) lastLines.shift()
        buildLog.line(text)
      }
      try {
        const functionName = metadata.labels?.[functionLabel] ?? ''
        const result = await this.#deps.builder.build({
          namespace,
          function: functionName,
          revision: metadata.name,
          spec,
          log: line,
          signal: entry.stop.signal,
        })
        entry.state = { kind: 'built', result, durationMs: clock.monotonic() - startedAt }
      } catch (error) {
        if (!entry.stop.signal.aborted) buildLog.line(failureLine(error))
        throw error
      } finally {
        await buildLog.close()
      }
    } catch (thrown) {
      const error = asKaonError(thrown)
      if (error.code === 'internal')
        log.error('A build failed for no reason of its author.', { key: entry.key, error: String((thrown as Error)?.stack ?? thrown) })
      entry.state = { kind: 'failed', error, lastLines, ...this.#retryAt(error.code, entry.attempts) }
    }
  }

  #retryAt(code: ErrorCode, attempts: number): { retryAtMs?: number } {
    const maxMs = slowRetryMs[code] ?? (errorTable[code].retryable || code === 'internal' ? 60_000 : undefined)
    if (maxMs === undefined) return {}
    const firstMs = code === 'dependencies_failed' ? 30_000 : 1_000
    return { retryAtMs: this.#deps.clock.monotonic() + backoffMs(attempts, { firstMs, maxMs }, this.#deps.random) }
  }
}

function failureLine(error: unknown): string {
  const { message, hint } = isKaonError(error) ? error : asKaonError(error)
  return `error: ${message}${hint === undefined ? '' : ` ${hint}`}`
}
