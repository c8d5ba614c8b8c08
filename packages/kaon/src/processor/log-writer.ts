import { isLogged, type LogLevel } from '../base/log.ts'
import type { Redactor } from '../base/redact.ts'
import type { Clock } from '../base/system.ts'
import { isoTime } from '../base/time.ts'
import type { LogRecord } from '../model/log-record.ts'
import type { WorkerLogLine } from '../runtimes/worker.ts'

const maxQueuedBytes = 4 * 1024 * 1024
const maxLineBytes = 256 * 1024
const rememberedLines = 8
/** How long to leave a disk alone that took nothing. */
const retryMs = 1_000

/** Where finished lines go: a rotating file, or the terminal of `kaon run`. */
export type LogSink = { append(text: string): Promise<void>; close(): Promise<void> }

export type LogWriterDeps = {
  clock: Pick<Clock, 'now' | 'sleep'>
  sink: LogSink
  revision: string
  replica: string
  level: LogLevel
  /** Takes out what must not be seen in a log. */
  redactor: Redactor
}

/** A replica's log: filters, redacts, and writes in the background. A disk that is slow or full costs lines, which are counted, never memory or calls. */
export class LogWriter {
  readonly #deps: LogWriterDeps
  readonly #redactor: Redactor
  #level: LogLevel
  #queue: string[] = []
  #queuedBytes = 0
  #pumping: Promise<void> | undefined
  #closed = false
  #dropped = 0
  #droppedTold = 0
  #last: string[] = []

  constructor(deps: LogWriterDeps) {
    this.#deps = deps
    this.#level = deps.level
    this.#redactor = deps.redactor
  }

  /** Lines lost so far because the disk did not keep up. */
  get dropped(): number {
    return this.#dropped
  }

  setLevel(level: LogLevel): void {
    this.#level = level
  }

  /** Lines of a worker (by its index), or of the replica as a whole. */
  write(lines: readonly WorkerLogLine[], worker?: number): void {
    for (const line of lines) if (line.stream === 'platform' || isLogged(line.level, this.#level)) this.#enqueue(line, worker)
    this.#wake()
  }

  /** The platform's own word on what happened here. Not subject to the level: it says why calls failed. */
  platform(level: LogLevel, msg: string, about: { worker?: number; requestId?: string } = {}): void {
    const line: WorkerLogLine = { ts: isoTime(this.#deps.clock.now()), level, msg, stream: 'platform' }
    if (about.requestId !== undefined) line.requestId = about.requestId
    this.write([line], about.worker)
  }

  /** The last few messages, secrets replaced, for the reason of a failed start. */
  lastMessages(): readonly string[] {
    return this.#last
  }

  /** Resolves when all that was written so far is in the file or counted as lost. */
  async flush(): Promise<void> {
    while (this.#pumping !== undefined) await this.#pumping
  }

  /** Writes what is left, waiting for a bad disk no longer than one try. */
  async close(): Promise<void> {
    this.#closed = true
    await this.flush()
    await this.#deps.sink.close().catch(() => undefined)
  }

  #enqueue(line: WorkerLogLine, worker: number | undefined): void {
    const text = `${this.#redactor.json(this.#record(line, worker))}\n`
    if (text.length > maxLineBytes) {
      const { fields: _, cut: __, ...rest } = line
      this.#enqueue({ ...rest, msg: `${this.#message(line).slice(0, 8_192)}… (a line of ${text.length} bytes, cut)` }, worker)
      return
    }
    if (line.stream !== 'platform') this.#remember(line)
    if (this.#queuedBytes + text.length > maxQueuedBytes) {
      this.#dropped++
      return
    }
    this.#queue.push(text)
    this.#queuedBytes += text.length
  }

  #record(line: WorkerLogLine, worker: number | undefined): LogRecord {
    const { ts, level, requestId, stream, fields } = line
    const msg = line.cut === undefined ? line.msg : this.#message(line)
    return { ts, level, msg, revision: this.#deps.revision, replica: this.#deps.replica, worker, requestId, stream, fields } as LogRecord
  }

  /** Secrets are taken out before anything is cut off here: half of one would not be found. */
  #message({ msg, cut }: WorkerLogLine): string {
    const text = this.#redactor.text(msg, cut)
    return cut?.omitted === undefined ? text : `${text}… (${cut.omitted} more characters)`
  }

  #remember(line: WorkerLogLine): void {
    this.#last.push(this.#message(line).slice(0, 500))
    if (this.#last.length > rememberedLines) this.#last.shift()
  }

  #wake(): void {
    if (this.#queue.length > 0 && this.#pumping === undefined)
      this.#pumping = this.#pump().finally(() => {
        this.#pumping = undefined
      })
  }

  async #pump(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue
      this.#queue = []
      this.#queuedBytes = 0
      const lost = this.#dropped - this.#droppedTold
      try {
        await this.#deps.sink.append((lost > 0 ? this.#notice(lost) : '') + batch.join(''))
        this.#droppedTold += lost
      } catch {
        this.#dropped += batch.length
        if (!this.#closed) await this.#deps.clock.sleep(retryMs)
      }
    }
  }

  #notice(lost: number): string {
    const msg = `${lost} lines of this log were lost: the disk was full or too slow.`
    return `${JSON.stringify(this.#record({ ts: isoTime(this.#deps.clock.now()), level: 'warn', msg, stream: 'platform' }, undefined))}\n`
  }
}
