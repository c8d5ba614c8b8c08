import type { Clock, Files, Timer } from '../base/system.ts'
import { isoTime } from '../base/time.ts'
import type { WorkerLogLine } from '../runtimes/worker.ts'

const maxReadBytes = 256 * 1024
const maxFileBytes = 1024 * 1024
const maxHeldBytes = 16 * 1024

export type OutputCaptureDeps = {
  clock: Pick<Clock, 'now' | 'every'>
  files: Pick<Files, 'open' | 'truncate'>
  /** The file that the process's own descriptors 1 and 2 append to. */
  path: string
  onLines(lines: WorkerLogLine[]): void
}

/** Brings into the log what is written past the logger: native code, `fs.writeSync(1, …)`, warnings of Node itself. */
export class OutputCapture {
  readonly #deps: OutputCaptureDeps
  readonly #timer: Timer
  #offset = 0
  #held = ''
  /** The line before was cut: the next one goes on with it. */
  #isGoingOn = false
  #reading: Promise<void> | undefined

  constructor(deps: OutputCaptureDeps) {
    this.#deps = deps
    this.#timer = deps.clock.every(1_000, () => void this.collect(), { idle: true })
  }

  /** Reads what came since the last time. */
  collect(): Promise<void> {
    this.#reading ??= this.#collect()
      .catch(() => undefined)
      .finally(() => {
        this.#reading = undefined
      })
    return this.#reading
  }

  /** The last look; a last line without an end counts. */
  async close(): Promise<void> {
    this.#timer.cancel()
    await this.#reading
    await this.collect()
    if (this.#held !== '') this.#emit([this.#held], true)
    this.#held = ''
  }

  async #collect(): Promise<void> {
    const handle = await this.#deps.files.open(this.#deps.path, 'r')
    try {
      const { size } = await handle.stat()
      if (size < this.#offset) this.#offset = 0
      while (this.#offset < size) {
        const buffer = Buffer.allocUnsafe(Math.min(maxReadBytes, size - this.#offset))
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, this.#offset)
        if (bytesRead === 0) break
        this.#offset += bytesRead
        this.#split(buffer.toString('utf8', 0, bytesRead))
      }
    } finally {
      await handle.close()
    }
    if (this.#offset > maxFileBytes) {
      // Writers append, so they go on at the new end.
      await this.#deps.files.truncate(this.#deps.path, 0)
      this.#offset = 0
    }
  }

  #split(text: string): void {
    const lines = (this.#held + text).split('\n')
    this.#held = lines.pop() ?? ''
    const isCut = this.#held.length > maxHeldBytes
    if (isCut) {
      lines.push(this.#held)
      this.#held = ''
    }
    this.#emit(lines, isCut)
  }

  #emit(lines: string[], isLastCut: boolean): void {
    if (lines.length === 0) return
    const ts = isoTime(this.#deps.clock.now())
    const records = lines
      .map((msg, i): WorkerLogLine => {
        const cut = { start: i === 0 && this.#isGoingOn, end: isLastCut && i === lines.length - 1 }
        return { ts, level: 'info', msg, stream: 'stderr', ...(cut.start || cut.end ? { cut } : {}) }
      })
      .filter(({ msg }) => msg.trim() !== '')
    this.#isGoingOn = isLastCut
    if (records.length > 0) this.#deps.onLines(records)
  }
}
