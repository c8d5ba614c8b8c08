import { createHash, timingSafeEqual } from 'node:crypto'
import type { System, Timer } from '../../base/system.ts'
import type { ReplicaAssignment } from '../../model/assignment.ts'
import { controlProtocolVersion, type ReplicaReport } from '../../model/control-protocol.ts'
import type { ReplicaConnection } from './connection.ts'
import { readLastWords } from './last-words.ts'
import { type LocalFolders, outputFile, removeReplicaFiles } from './local-paths.ts'
import { type ReplicaAssigned, type ReplicaRecord, writeRecord } from './replica-record.ts'

/** A replica that does not dial (again) within this time is ended. */
const dialWithinMs = 10_000
/** After the grace of a drain the process gets this long to write its log and go. */
const exitWithinMs = 3_000
const pollMs = 250

export type LocalReplicaDeps = Pick<System, 'clock' | 'files' | 'processes'> & LocalFolders & { onChange(replica: LocalReplica): void }

/** How a replica's process ended, in words for the log; a drained one has nothing to say. */
export type ReplicaEnding = { wasAsked: boolean; reason: string; readyForMs: number }

/** One replica process of this machine, ours by birth or by adoption. */
export class LocalReplica {
  readonly #deps: LocalReplicaDeps
  #record: ReplicaRecord
  #report: ReplicaReport = { phase: 'empty' }
  #connection: ReplicaConnection | undefined
  /** Kept until the replica has taken it: a connection may break in between. */
  #assignment: ReplicaAssignment | undefined
  #drainGraceMs: number | undefined
  #readyAt: number | undefined
  /** When it was heard last on its connection; undefined until it beats there, which a replica of an older version never does. */
  #heardAt: number | undefined
  #silentForMs: number | undefined
  #dialTimer: Timer | undefined
  #killTimer: Timer | undefined
  #isGone = false
  #written: Promise<void> = Promise.resolve()
  readonly #exited: PromiseWithResolvers<string> = Promise.withResolvers()
  /** Resolves when the process is gone and nothing of it is left. */
  readonly ended: Promise<ReplicaEnding>

  constructor(deps: LocalReplicaDeps, record: ReplicaRecord) {
    this.#deps = deps
    this.#record = record
    this.ended = this.#exited.promise.then((reason) => this.#cleanUp(reason))
    this.#expectDial()
  }

  get id(): string {
    return this.#record.id
  }

  get pid(): number {
    return this.#record.pid
  }

  get tokenDigest(): string {
    return this.#record.tokenDigest
  }

  get assigned(): ReplicaAssigned | undefined {
    return this.#record.assigned
  }

  get processorFile(): string {
    return this.#record.processorFile
  }

  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  get isDraining(): boolean {
    return this.#drainGraceMs !== undefined || this.#report.phase === 'draining'
  }

  get isGone(): boolean {
    return this.#isGone
  }

  /** What it said last, in the words of this side where this side knows better. */
  get report(): ReplicaReport {
    if (this.isDraining) return { ...this.#report, phase: 'draining' }
    if (this.#silentForMs !== undefined) return { ...this.#report, phase: 'failed' }
    const { assigned } = this.#record
    if (this.#report.phase !== 'empty' || assigned === undefined) return this.#report
    const revision = { namespace: assigned.namespace, function: assigned.function, name: assigned.revision, uid: assigned.revisionUid }
    return { phase: 'starting', revision }
  }

  /** Writes the record as it is. */
  save(): Promise<void> {
    const { files, dataFolder } = this.#deps
    this.#written = this.#written
      .then(() => (this.#isGone ? undefined : writeRecord(files, dataFolder, this.#record)))
      .catch(() => undefined)
    return this.#written
  }

  /** The process is a child of ours and its end will be told. */
  processExited(reason: string): void {
    this.#exited.resolve(reason)
  }

  /** The process is not a child of ours: look after it. */
  watchProcess(): void {
    const { clock, processes } = this.#deps
    const look = async () => {
      if ((await processes.startTime(this.pid)) !== this.#record.startTime) {
        timer.cancel()
        this.#exited.resolve('the process is gone')
      }
    }
    const timer = clock.every(pollMs, () => void look(), { idle: true })
  }

  /** False when the one who dialled is not this replica. */
  attach(connection: ReplicaConnection): boolean {
    const { hello } = connection
    const given = createHash('sha256').update(hello.token).digest()
    if (hello.version !== controlProtocolVersion || !timingSafeEqual(given, Buffer.from(this.#record.tokenDigest, 'hex'))) return false
    this.#dialTimer?.cancel()
    this.#connection?.close()
    this.#connection = connection
    this.#heardAt = undefined
    connection.onMessage((message) => {
      if (this.#connection !== connection) return
      if (message.kind === 'beat' || this.#heardAt !== undefined) this.#heardAt = this.#deps.clock.monotonic()
      if (message.kind === 'report') this.#take(message.report)
    })
    connection.onClose(() => this.#lost(connection))
    connection.send({ kind: 'welcome' })
    this.#catchUp(hello.report)
    return true
  }

  /** Makes it a replica of a revision. Once. */
  assign(assignment: ReplicaAssignment, assigned: ReplicaAssigned): void {
    this.#record = { ...this.#record, assigned }
    this.#assignment = assignment
    this.#connection?.send({ kind: 'assign', assignment })
    void this.save()
  }

  /** Lets it finish what it runs for at most `graceMs`, then ends it. */
  drain(graceMs: number): void {
    if (this.#isGone || (this.#drainGraceMs !== undefined && this.#drainGraceMs <= graceMs)) return
    this.#drainGraceMs = graceMs
    this.#killTimer?.cancel()
    this.#killTimer = this.#deps.clock.after(graceMs + exitWithinMs, () => this.kill())
    if (this.#connection !== undefined) this.#connection.send({ kind: 'drain', graceMs })
    else this.#deps.processes.kill(this.pid, 'SIGTERM')
    this.#deps.onChange(this)
  }

  /** Ends the process and those it started, now. */
  kill(): void {
    if (this.#isGone) return
    const { processes } = this.#deps
    void processes.startTime(this.pid).then((startTime) => {
      // The id may belong to another process by now.
      if (startTime === this.#record.startTime && !processes.kill(-this.pid, 'SIGKILL')) processes.kill(this.pid, 'SIGKILL')
    })
  }

  /** Ends it when nothing was heard for `maxMs` on a connection that stands: its process hangs as a whole, and nothing in it can say so. */
  endIfSilent(maxMs: number): void {
    if (this.#connection === undefined || this.#heardAt === undefined || this.#isGone) return
    const silentForMs = this.#deps.clock.monotonic() - this.#heardAt
    if (silentForMs <= maxMs) return
    const isNews = this.#silentForMs === undefined
    this.#silentForMs = silentForMs
    this.kill()
    if (isNews) this.#deps.onChange(this)
  }

  /** Nothing could be heard until now, for a reason on this side. */
  excuseSilence(): void {
    if (this.#heardAt !== undefined) this.#heardAt = this.#deps.clock.monotonic()
  }

  /** Leaves it running, for the next control plane. */
  async release(): Promise<void> {
    this.#dialTimer?.cancel()
    this.#killTimer?.cancel()
    const connection = this.#connection
    this.#connection = undefined
    connection?.close()
    await this.#written
  }

  #catchUp(report: ReplicaReport): void {
    if (report.phase === 'empty' && this.#record.assigned !== undefined) {
      // Its assignment was lost on the way; after our own restart nobody has it any more, and a fresh one is better.
      if (this.#assignment === undefined) this.drain(0)
      else this.#connection?.send({ kind: 'assign', assignment: this.#assignment })
    } else if (this.#drainGraceMs !== undefined) this.#connection?.send({ kind: 'drain', graceMs: this.#drainGraceMs })
    this.#take(report)
  }

  #take(report: ReplicaReport): void {
    this.#report = report
    if (report.phase !== 'empty') this.#assignment = undefined
    if (report.phase === 'ready') this.#readyAt ??= this.#deps.clock.monotonic()
    this.#deps.onChange(this)
  }

  #lost(connection: ReplicaConnection): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    if (!this.#isGone) this.#expectDial()
  }

  #expectDial(): void {
    this.#dialTimer?.cancel()
    this.#dialTimer = this.#deps.clock.after(dialWithinMs, () => this.kill(), { idle: true })
  }

  async #cleanUp(reason: string): Promise<ReplicaEnding> {
    const { clock, files, processes } = this.#deps
    const silence = this.#silentForMs
    const wasAsked = this.#drainGraceMs !== undefined
    this.#isGone = true
    this.#dialTimer?.cancel()
    this.#killTimer?.cancel()
    this.#connection?.close()
    const lastWords = wasAsked ? undefined : await readLastWords(files, outputFile(this.#deps.dataFolder, this.id))
    // Worker processes of a replica that was killed would run on. No process, and so no group of another, has the id now.
    if ((await processes.startTime(this.pid)) === undefined) processes.kill(-this.pid, 'SIGKILL')
    await this.#written
    await removeReplicaFiles(files, this.#deps, this.id).catch(() => undefined)
    return {
      wasAsked,
      reason: lastWords ?? (silence === undefined ? reason : hungReason(silence)),
      readyForMs: this.#readyAt === undefined ? 0 : clock.monotonic() - this.#readyAt,
    }
  }
}

function hungReason(silentForMs: number): string {
  return `its process hung: nothing was heard of it for ${Math.round(silentForMs / 100) / 10} s, so it was ended`
}
