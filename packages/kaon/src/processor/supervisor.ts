import { join } from 'node:path'
import { asKaonError, KaonError } from '../base/errors.ts'
import type { LogLevel } from '../base/log.ts'
import { createRedactor, type Redactor } from '../base/redact.ts'
import type { System, Timer } from '../base/system.ts'
import type { ArtifactManifest } from '../model/artifact.ts'
import type { ReplicaAssignment } from '../model/assignment.ts'
import type { FromReplica, ReplicaReport, StartSteps } from '../model/control-protocol.ts'
import { type StartWorker, WorkerCounter, type WorkerOptions } from '../runtimes/worker.ts'
import { LinkServer } from './link-server.ts'
import { type LogSink, LogWriter } from './log-writer.ts'
import { MemoryWatch } from './memory-watch.ts'
import { OutputCapture } from './output-capture.ts'
import { fillScratchFolder, outputFile, readManifest, replicaEnvironment } from './replica-files.ts'
import { WorkerSlot } from './worker-slot.ts'

const watchPeriodMs = 100
/** A replica none of whose workers starts any more is given up after so many tries of one worker. */
const maxFailedStarts = 4

export type SupervisorDeps = Pick<System, 'clock' | 'files' | 'network' | 'random'> & {
  id: string
  /** Where the sockets are. */
  runFolder: string
  scratchFolder: string
  startWorker: StartWorker
  openLog(assignment: ReplicaAssignment): Promise<LogSink>
  /** Resident memory of this process. */
  memoryBytes(): number
  /** Set where the process's own output goes to the scratch folder. */
  capturesOutput: boolean
  /** Plain HTTP served by the first worker itself: `kaon run`. */
  http?: WorkerOptions['http']
}

/** How a replica ended. `clean` is what was asked for; otherwise its process must end without waiting for anything. */
export type ReplicaEnd = { kind: 'clean' } | { kind: 'failed' } | { kind: 'fatal'; message: string }
export type ReplicaCounts = Omit<Extract<FromReplica, { kind: 'counts' }>, 'kind'>

/** One replica: from an assignment to running workers, kept running until it is drained. */
export class Supervisor {
  readonly #deps: SupervisorDeps
  #report: ReplicaReport = { phase: 'empty' }
  #assignment: ReplicaAssignment | undefined
  #slots: WorkerSlot[] = []
  #link: LinkServer | undefined
  #log: LogWriter | undefined
  #output: OutputCapture | undefined
  #watch: Timer | undefined
  #memory: MemoryWatch | undefined
  readonly #listeners: (() => void)[] = []
  #draining: Promise<void> | undefined
  #steps: StartSteps = {}
  /** Whatever leaves this replica about its handler goes through it: the handler's words may hold what it was given. */
  #redactor: Redactor = createRedactor([])
  #end!: (end: ReplicaEnd) => void
  /** Resolves when the replica is over. */
  readonly ended: Promise<ReplicaEnd>

  constructor(deps: SupervisorDeps) {
    this.#deps = deps
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  get report(): ReplicaReport {
    return this.#report
  }

  get assignment(): ReplicaAssignment | undefined {
    return this.#assignment
  }

  get slots(): readonly WorkerSlot[] {
    return this.#slots
  }

  get logDropped(): number {
    return this.#log?.dropped ?? 0
  }

  get memoryBytes(): number {
    return this.#deps.memoryBytes()
  }

  /** Called whenever the report is another one. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Totals since the replica started. */
  counts(): ReplicaCounts {
    const counts = { started: 0, finished: 0, failed: 0, inFlightMs: 0, memoryBytes: this.#deps.memoryBytes() }
    for (const slot of this.#slots) {
      const values = slot.totals.read()
      counts.started += values[WorkerCounter.started]!
      counts.finished += values[WorkerCounter.finished]!
      counts.failed += values[WorkerCounter.failed]!
      counts.inFlightMs += values[WorkerCounter.inFlightMs]!
    }
    return counts
  }

  /** Becomes a replica of a revision, once. Resolves when all workers are ready; rejects, with the report `failed`, when one is not. */
  async start(assignment: ReplicaAssignment): Promise<{ steps: StartSteps; httpPort?: number }> {
    if (this.#assignment !== undefined) throw new KaonError('conflict', `The replica '${this.#deps.id}' has its assignment already.`)
    const begunAt = this.#deps.clock.monotonic()
    const env = replicaEnvironment(assignment, this.#deps.scratchFolder, this.#deps.http?.port)
    this.#assignment = { ...assignment, env }
    this.#redactor = createRedactor(Object.values(assignment.secrets))
    const { namespace, function: name, revision, revisionUid } = assignment
    this.#set({ phase: 'starting', revision: { namespace, function: name, name: revision, uid: revisionUid } })
    try {
      const httpPort = await this.#startWorkers(this.#assignment)
      const steps = { ...this.#steps, readyMs: this.#deps.clock.monotonic() - begunAt }
      if (this.#draining !== undefined) throw new KaonError('start_failed', 'The replica was told to drain before it was ready.')
      this.#set({ ...this.#report, phase: 'ready', link: this.#link!.path, steps })
      this.#tellWorkers()
      return { steps, ...(httpPort === undefined ? {} : { httpPort }) }
    } catch (error) {
      const shown = this.#withoutSecrets(asKaonError(error))
      await this.#fail(shown)
      throw shown
    }
  }

  setLogLevel(level: LogLevel): void {
    this.#log?.setLevel(level)
    for (const slot of this.#slots) slot.setLogLevel(level)
  }

  /** Takes no new calls, finishes those in flight, ends what is left after `graceMs`. Resolves when all is gone and the log is written. */
  drain(graceMs: number): Promise<void> {
    this.#draining ??= this.#drain(graceMs)
    return this.#draining
  }

  async #startWorkers(assignment: ReplicaAssignment): Promise<number | undefined> {
    const { clock, files, id, runFolder, scratchFolder, openLog } = this.#deps
    const [manifest, sink] = await Promise.all([readManifest(files, assignment.artifactFolder), openLog(assignment)])
    const { revision, logLevel: level } = assignment
    this.#log = new LogWriter({ clock, sink, revision, replica: id, level, redactor: this.#redactor })
    if (this.#deps.capturesOutput)
      this.#output = new OutputCapture({ clock, files, path: outputFile(scratchFolder), onLines: (lines) => this.#log?.write(lines) })
    await fillScratchFolder(files, scratchFolder, assignment, manifest)
    this.#link = new LinkServer({
      network: this.#deps.network,
      files,
      path: join(runFolder, `l-${id}.sock`),
      replica: id,
      revisionUid: assignment.revisionUid,
    })
    this.#slots = Array.from({ length: assignment.workers }, (_, index) => this.#slot(index, assignment, manifest))
    const [, ...started] = await Promise.all([this.#link.listen(), ...this.#slots.map((slot) => slot.start())])
    const slowest = (step: 'loadedMs' | 'initialisedMs') => Math.max(...started.map((steps) => steps[step] ?? 0))
    this.#steps = { loadedMs: slowest('loadedMs'), initialisedMs: slowest('initialisedMs') }
    this.#memory = new MemoryWatch({
      clock,
      limitBytes: assignment.workers * assignment.memoryBytes * 2 + 256 * 1024 * 1024,
      memoryBytes: this.#deps.memoryBytes,
      replaceWorkers: (reason) => {
        for (const slot of this.#slots) slot.replace('memory', reason)
      },
      giveUp: (message) => this.#giveUp(message),
    })
    this.#watch = clock.every(watchPeriodMs, () => this.#look(), { idle: true })
    return started[0]?.httpPort
  }

  #slot(index: number, assignment: ReplicaAssignment, manifest: ArtifactManifest): WorkerSlot {
    const { clock, random, id, runFolder, startWorker, http } = this.#deps
    const share = Math.ceil(assignment.concurrency / assignment.workers)
    return new WorkerSlot({
      clock,
      random,
      index,
      abandonedLimit: assignment.concurrency === 0 ? 100 : Math.min(100, share),
      retireMs: Math.min(assignment.timeoutMs, 30_000) + 1_000,
      start: (generation) => {
        const socket = join(runFolder, `w-${id}-${index}-${generation}.sock`)
        const onLog = (lines: Parameters<WorkerOptions['onLog']>[0]) => this.#log?.write(lines, index)
        const ownHttp = http !== undefined && index === 0 ? { http } : {}
        return { socket, handle: startWorker({ assignment, manifest, index, generation, socket, onLog, ...ownHttp }) }
      },
      events: {
        changed: () => this.#tellWorkers(),
        gone: (gone) => this.#link?.tellGone(gone),
        log: (level, message, worker) => this.#log?.platform(level, message, { worker }),
        notStarted: (error, failures) => this.#notStarted(error, failures),
        stuck: (message) => this.#giveUp(message),
      },
    })
  }

  #look(): void {
    for (const slot of this.#slots) slot.watch()
    this.#memory?.look()
  }

  #tellWorkers(): void {
    if (this.#report.phase !== 'ready' && this.#report.phase !== 'draining') return
    const workers = this.#slots.flatMap((slot) => slot.link ?? [])
    this.#link?.tellWorkers(this.#report.phase === 'draining', workers)
  }

  #notStarted(error: KaonError, failures: number): void {
    if (this.#report.phase !== 'ready' || failures < maxFailedStarts || this.#slots.some((slot) => slot.hasWorker)) return
    void this.#fail(this.#withoutSecrets(error))
  }

  /** Without its cause too: that is the author's error itself. */
  #withoutSecrets(error: KaonError): KaonError {
    const hint = error.hint === undefined ? {} : { hint: this.#redactor.text(error.hint) }
    return new KaonError(error.code, this.#redactor.text(error.message), hint)
  }

  async #fail(error: KaonError): Promise<void> {
    if (this.#report.phase === 'failed' || this.#draining !== undefined) return
    const lines = this.#log?.lastMessages() ?? []
    const detail = lines.length === 0 ? '' : `\nLast lines of its log:\n${lines.map((line) => `  ${line}`).join('\n')}`
    const hint = error.hint === undefined ? '' : ` ${error.hint}`
    this.#log?.platform('error', `The replica did not start: ${error.message}${hint}`)
    await this.#close('stopped')
    this.#set({ ...this.#report, phase: 'failed', failure: { code: error.code, message: `${error.message}${hint}${detail}` } })
    this.#end({ kind: 'failed' })
  }

  #giveUp(message: string): void {
    this.#log?.platform('error', `The replica is ended and started anew: ${message}`)
    const flushed = this.#log?.flush() ?? Promise.resolve()
    void Promise.race([flushed, this.#deps.clock.sleep(500)]).then(() =>
      this.#end({ kind: 'fatal', message: this.#redactor.text(message) }),
    )
  }

  async #drain(graceMs: number): Promise<void> {
    if (this.#report.phase === 'ready') {
      this.#set({ ...this.#report, phase: 'draining' })
      this.#tellWorkers()
      const { clock } = this.#deps
      const drained = Promise.all(this.#slots.map((slot) => slot.drain()))
      const late = new AbortController()
      const isLate = await Promise.race([drained.then(() => false), clock.sleep(graceMs, late.signal).then(() => true)])
      late.abort()
      if (isLate) this.#log?.platform('warn', `What still ran after ${graceMs / 1000} s of draining was ended.`)
    }
    await this.#close('stopped')
    this.#end({ kind: 'clean' })
  }

  async #close(cause: 'stopped'): Promise<void> {
    this.#watch?.cancel()
    await Promise.all(this.#slots.map((slot) => slot.terminate(cause, 'the replica ends')))
    await this.#link?.close()
    await this.#output?.close()
    await this.#log?.close()
  }

  #set(report: ReplicaReport): void {
    this.#report = report
    for (const listener of this.#listeners) listener()
  }
}
