import { isLogged, type LogLevel } from '../../../base/log.ts'
import type { WorkerLogLine } from '../../worker.ts'

/** Lines a worker may have under way to its supervisor; beyond them lines are dropped and counted, so that a flood costs no memory. */
const maxLines = 10_000
const maxBytes = 8 * 1024 * 1024
const maxLineChars = 16_384
/** So many lines of one tick go out at once: a handler that then blocks for good has still told what it was about to do. */
const promptLines = 8
const batchLines = 256

export type LogQueueDeps = {
  post(lines: WorkerLogLine[]): void
  /** Runs `flush` at the end of the tick. */
  afterTick(flush: () => void): void
  timestamp(): string
}

/** Gathers the log lines of one tick into one message, within bounds. */
export class LogQueue {
  readonly #deps: LogQueueDeps
  #level: LogLevel
  #lines: WorkerLogLine[] = []
  #isScheduled = false
  #prompt = 0
  #underWay: { lines: number; bytes: number }[] = []
  #linesUnderWay = 0
  #bytesUnderWay = 0
  #bytes = 0
  #dropped = 0

  constructor(deps: LogQueueDeps, level: LogLevel) {
    this.#deps = deps
    this.#level = level
  }

  setLevel(level: LogLevel): void {
    this.#level = level
  }

  isLogged(level: LogLevel): boolean {
    return isLogged(level, this.#level)
  }

  add(line: Omit<WorkerLogLine, 'ts'>): void {
    if (!this.isLogged(line.level)) return
    if (this.#linesUnderWay + this.#lines.length >= maxLines || this.#bytesUnderWay + this.#bytes >= maxBytes) {
      this.#dropped++
      return
    }
    const omitted = line.msg.length - maxLineChars
    const whole = { ts: this.#deps.timestamp(), ...line }
    this.#push(omitted > 0 ? { ...whole, msg: line.msg.slice(0, maxLineChars), cut: { ...line.cut, end: true, omitted } } : whole)
    if (this.#prompt < promptLines || this.#lines.length >= batchLines) {
      this.#prompt++
      this.#post()
    }
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#deps.afterTick(() => {
      this.#isScheduled = false
      this.#prompt = 0
      this.flush()
    })
  }

  /** Sends what is gathered. */
  flush(): void {
    this.#reportDropped()
    this.#post()
  }

  /** The supervisor has taken the oldest lines under way. */
  acknowledged(lines: number): void {
    let left = lines
    while (left > 0) {
      const batch = this.#underWay.shift()
      if (batch === undefined) break
      left -= batch.lines
      this.#linesUnderWay -= batch.lines
      this.#bytesUnderWay -= batch.bytes
    }
    if (this.#dropped > 0) this.flush()
  }

  #reportDropped(): void {
    if (this.#dropped === 0 || this.#linesUnderWay >= maxLines / 2 || this.#bytesUnderWay >= maxBytes / 2) return
    const msg = `${this.#dropped} log lines were dropped: they came faster than they could be kept.`
    this.#dropped = 0
    this.#push({ ts: this.#deps.timestamp(), level: 'warn', msg, stream: 'platform' })
  }

  #push(line: WorkerLogLine): void {
    this.#lines.push(line)
    // Fields are bounded where they are made (`plainFields`); this is their usual share and an envelope.
    this.#bytes += line.msg.length + (line.fields === undefined ? 100 : 500)
  }

  #post(): void {
    if (this.#lines.length === 0) return
    const lines = this.#lines
    this.#underWay.push({ lines: lines.length, bytes: this.#bytes })
    this.#linesUnderWay += lines.length
    this.#bytesUnderWay += this.#bytes
    this.#lines = []
    this.#bytes = 0
    this.#deps.post(lines)
  }
}
