import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { type ErrorCode, errorTable, KaonError } from '../base/errors.ts'
import type { ChildProcess, System, Timer } from '../base/system.ts'
import type { ChildAnswer, ChildStart } from './child-main.ts'

export type KeptChildOptions = {
  name: 'control-plane' | 'gateway'
  /** The file that Node runs. */
  entry: string
  dataFolder: string
  start: ChildStart
  environment: Record<string, string>
  show(line: string): void
  /** Called for each process that is up, the first and those after it. */
  onUp(): void
}

/** A child that serves is started again at once when it dies, but not more often than this. */
const shortestLifeMs = 300
const longestPauseMs = 5_000

/** A process of the platform that is started again whenever it ends, until it is stopped. */
export class KeptChild {
  readonly #options: KeptChildOptions
  readonly #system: Pick<System, 'clock' | 'processes'>
  readonly #firstReady = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<void>()
  #child: ChildProcess | undefined
  #startTime: string | undefined
  #failures = 0
  #readyAt: number | undefined
  #timer: Timer | undefined
  #isStopping = false

  constructor(options: KeptChildOptions, system: Pick<System, 'clock' | 'processes'>) {
    this.#options = options
    this.#system = system
    this.#firstReady.promise.catch(() => undefined)
    this.#spawn()
  }

  /** When it serves for the first time. Rejects with why it does not. */
  get ready(): Promise<void> {
    return this.#firstReady.promise
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get startTime(): string | undefined {
    return this.#startTime
  }

  /** Asks it to end and waits until it has. */
  stop(): Promise<void> {
    this.#isStopping = true
    this.#timer?.cancel()
    if (this.#child === undefined || !this.#child.kill('SIGTERM')) this.#ended.resolve()
    return this.#ended.promise
  }

  #spawn(): void {
    const { entry, dataFolder, environment, start, name } = this.#options
    const { processes } = this.#system
    this.#readyAt = undefined
    const child = processes.spawn(processes.nodePath, [entry, '--data', dataFolder], {
      env: environment,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child = child
    const [stdin, stdout] = [child.stdin as Writable, child.stdout as Readable]
    stdin.on('error', () => undefined)
    // The pipe stays open: when this process vanishes the child sees its end.
    stdin.write(`${JSON.stringify(start)}\n`)
    createInterface({ input: stdout }).on('line', (line) => void this.#take(JSON.parse(line) as ChildAnswer))
    child.on('error', (cause) => this.#firstReady.reject(new KaonError('internal', `The ${name} could not be started.`, { cause })))
    child.on('close', (code, signal) => this.#closed(signal ?? `code ${code}`))
  }

  async #take(answer: ChildAnswer): Promise<void> {
    if (answer.kind === 'failed') {
      const code = answer.code in errorTable ? (answer.code as ErrorCode) : 'internal'
      this.#firstReady.reject(new KaonError(code, answer.message, answer.hint === undefined ? {} : { hint: answer.hint }))
      return
    }
    this.#readyAt = this.#system.clock.monotonic()
    this.#startTime = await this.#system.processes.startTime(this.pid ?? 0)
    this.#options.onUp()
    this.#firstReady.resolve()
  }

  /** One that does not even get ready is given more and more time. */
  #pauseMs(): number {
    if (this.#readyAt === undefined) return Math.min(longestPauseMs, 100 * 2 ** this.#failures++)
    this.#failures = 0
    return Math.max(0, Math.ceil(shortestLifeMs - (this.#system.clock.monotonic() - this.#readyAt)))
  }

  #closed(how: string): void {
    const { name, show } = this.#options
    this.#child = undefined
    this.#firstReady.reject(
      new KaonError('internal', `The ${name} ended while it started (${how}).`, { hint: `See ${name}.log in the data folder.` }),
    )
    if (this.#isStopping) {
      this.#ended.resolve()
      return
    }
    const pauseMs = this.#pauseMs()
    show(`kaon: the ${name} ended (${how}); starting it again${pauseMs === 0 ? '' : ` in ${pauseMs} ms`}.`)
    this.#timer = this.#system.clock.after(pauseMs, () => this.#spawn())
  }
}
