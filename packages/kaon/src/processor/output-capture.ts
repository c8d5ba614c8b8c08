import type { Clock, Files, Timer } from '../base/system.ts'
import { isoTime } from '../base/time.ts'
import type { WorkerLogLine } from '../runtimes/worker.ts'

const maxReadBytes = 256 * 1024
const maxFileBytes = 1024 * 1024
/** More than this since the last look is not worth the time to read it. */
const maxBacklogBytes = 4 * 1024 * 1024
const lookPeriodMs = 200
const maxHeldBytes = 16 * 1024

export type OutputCaptureDeps = {
  clock: Pick<Clock, 'now' | 'every'>
  files: Pick<Files, 'open' | 'stat' | 'truncate'>
  /** The file that the process's own descriptors 1 and 2 append to. */
  path: string
  onLines(lines: WorkerLogLine[]): void
}

/** Brings into the log what is written past the logger: native code, `fs.writeSync(1, …)`, warnings of Node itself. */
export class OutputCapture {
  readonly #deps: OutputCaptureDeps
  readonly #timer: Timer
  #offset = 0
  #isClosed = false
  #held = ''
  /** The line before was cut: the next one goes on with it. */
  #isGoingOn = false
  #reading: Promise<void> | undefined

  constructor(deps: OutputCaptureDeps) {
    this.#deps = deps
    this.#timer = deps.clock.every(lookPeriodMs, () => void this.collect(), { idle: true })
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
    this.#isClosed = true
    this.#timer.cancel()
    await this.#reading
    await this.collect()
    if (this.#held !== '') this.#emit([this.#held], true)
    this.#held = ''
  }

  async #collect(): Promise<void> {
    // Nothing new costs one look, and a flood is looked after without a pause: what is not read in time grows on the disk.
    while ((await this.#deps.files.stat(this.#deps.path)).size !== this.#offset) {
      const taken = await this.#take()
      if (this.#isClosed || taken < maxReadBytes) return
    }
  }

  /** Reads what came, or throws it away when it is too much, and says how many bytes that was. */
  async #take(): Promise<number> {
    const handle = await this.#deps.files.open(this.#deps.path, 'r')
    let taken = 0
    try {
      const { size } = await handle.stat()
      if (size < this.#offset) this.#offset = 0
      if (size - this.#offset > maxBacklogBytes) return await this.#drop(size - this.#offset)
      while (this.#offset < size) {
        const buffer = Buffer.allocUnsafe(Math.min(maxReadBytes, size - this.#offset))
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, this.#offset)
        if (bytesRead === 0) break
        this.#offset += bytesRead
        taken += bytesRead
        this.#split(buffer.toString('utf8', 0, bytesRead))
      }
    } finally {
      await handle.close()
    }
    if (this.#offset > maxFileBytes) await this.#empty()
    return taken
  }

  async #drop(bytes: number): Promise<number> {
    await this.#empty()
    this.#emit([this.#held], true)
    this.#held = ''
    const msg = `${bytes} bytes of output were dropped: they were written to descriptor 1 or 2 faster than they could be kept.`
    this.#deps.onLines([{ ts: isoTime(this.#deps.clock.now()), level: 'warn', msg, stream: 'platform' }])
    return bytes
  }

  /** Writers append, so they go on at the new end. */
  async #empty(): Promise<void> {
    await this.#deps.files.truncate(this.#deps.path, 0)
    this.#offset = 0
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
