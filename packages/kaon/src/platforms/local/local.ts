import { join } from 'node:path'
import type { Log } from '../../base/log.ts'
import type { System, Timer } from '../../base/system.ts'
import { isoTime } from '../../base/time.ts'
import type { LogRecord } from '../../model/log-record.ts'
import type { LogQuery, ObservedReplica, WantedReplicas } from '../platform.ts'
import type { LocalPlatform, ReplicaConnection } from './connection.ts'
import { type LocalFolders, logFolder, removeReplicaFiles } from './local-paths.ts'
import { LocalReplica } from './local-replica.ts'
import { pruneLogs } from './log-files.ts'
import { readLogs } from './log-reader.ts'
import { ReplicaPool } from './pool.ts'
import { readRecords } from './replica-record.ts'
import { ReplicaSet } from './replica-set.ts'
import { watchSilence } from './silence-check.ts'
import { type ProcessorFiles, spawnReplica } from './spawn.ts'

/** What a function that is deleted may still finish. */
const forgetGraceMs = 5_000

export type LocalPlatformDeps = Pick<System, 'clock' | 'files' | 'processes' | 'random'> &
  LocalFolders & {
    log: Log
    processor: ProcessorFiles
    /** The socket that replicas dial; whoever listens there hands them to `attach`. */
    controlSocket: string
    /** Started, empty processes kept ready. */
    poolSize?: number
    /** A replica that is silent for this long, while its connection stands, is ended and replaced. 10 s. */
    silenceMs?: number
  }

/** Runs replicas as processes of this machine. Those that outlived the last control plane are taken over as they dial; what it left behind of dead ones is removed. */
export async function createLocalPlatform(deps: LocalPlatformDeps): Promise<LocalPlatform> {
  await Promise.all(['replicas', 'logs'].map((name) => deps.files.mkdir(join(deps.dataFolder, name), { recursive: true, mode: 0o700 })))
  const platform = new LocalProcesses(deps)
  await platform.adopt()
  return platform
}

class LocalProcesses implements LocalPlatform {
  readonly #deps: LocalPlatformDeps
  readonly #sets = new Map<string, ReplicaSet>()
  readonly #pool: ReplicaPool
  /** Every process, whatever it is for. */
  readonly #all = new Map<string, LocalReplica>()
  readonly #tokens = new Map<string, string>()
  readonly #listeners: (() => void)[] = []
  readonly #silenceCheck: Timer
  #closed = false

  /** Processes that are started and not known yet. */
  readonly #spawning = new Set<Promise<LocalReplica>>()

  constructor(deps: LocalPlatformDeps) {
    this.#deps = deps
    this.#pool = new ReplicaPool({ clock: deps.clock, size: deps.poolSize ?? 1, spawn: () => this.#spawn() })
    const { clock, silenceMs } = deps
    this.#silenceCheck = watchSilence({ clock, replicas: () => this.#all.values(), ...(silenceMs === undefined ? {} : { silenceMs }) })
  }

  get expectedTokens(): ReadonlyMap<string, string> {
    return this.#tokens
  }

  async adopt(): Promise<void> {
    const { files, dataFolder, processes, processor, log } = this.#deps
    const { records, strays } = await readRecords(files, dataFolder)
    for (const id of strays) await removeReplicaFiles(files, this.#deps, id)
    for (const record of records) {
      if (record.startTime === '' || (await processes.startTime(record.pid)) !== record.startTime) {
        await removeReplicaFiles(files, this.#deps, record.id)
        continue
      }
      const replica = new LocalReplica(this.#replicaDeps(), record)
      replica.watchProcess()
      this.#know(replica)
      log.info('a replica of before is expected to dial', { replica: record.id, pid: record.pid, revision: record.assigned?.revision })
      if (record.assigned !== undefined) this.#set(record.assigned.revisionUid).add(replica)
      else if (record.processorFile === processor.processorFile) this.#pool.add(replica)
      else replica.drain(0)
    }
    this.#pool.refill(0)
  }

  attach(connection: ReplicaConnection): void {
    const replica = this.#all.get(connection.hello.id)
    if (!this.#closed && replica?.attach(connection)) return
    connection.send({ kind: 'refused', reason: 'This replica is not known here.' })
    connection.close()
  }

  ensure(wanted: WantedReplicas): void {
    if (this.#closed || (wanted.count === 0 && !this.#sets.has(wanted.revisionUid))) return
    this.#set(wanted.revisionUid).want(wanted)
  }

  replicas(): readonly ObservedReplica[] {
    return [...this.#sets.values()].flatMap((set) => set.observed())
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  logs(query: LogQuery): AsyncIterable<LogRecord> {
    const { clock, files, dataFolder } = this.#deps
    return readLogs({ clock, files, folder: logFolder(dataFolder, query.namespace, query.function) }, query)
  }

  async forget(namespace: string, functionName: string): Promise<void> {
    const { files, dataFolder } = this.#deps
    const isOwn = (about: { namespace: string; function: string } | undefined) =>
      about !== undefined && about.namespace === namespace && about.function === functionName
    const ending: Promise<unknown>[] = []
    for (const set of this.#sets.values()) {
      if (!isOwn(set.wanted ?? set.replicas[0]?.assigned)) continue
      if (set.wanted !== undefined) set.want({ ...set.wanted, count: 0 })
      for (const replica of set.replicas) {
        replica.drain(forgetGraceMs)
        ending.push(replica.ended)
      }
    }
    await Promise.all(ending)
    await files.rm(logFolder(dataFolder, namespace, functionName), { recursive: true, force: true })
  }

  async close(options: { stopReplicas: boolean }): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const set of this.#sets.values()) set.close()
    for (const empty of this.#pool.close()) if (options.stopReplicas) empty.drain(0)
    // One that is just being started would be left behind.
    await Promise.allSettled(this.#spawning)
    const replicas = [...this.#all.values()]
    if (!options.stopReplicas) {
      this.#silenceCheck.cancel()
      await Promise.all(replicas.map((replica) => replica.release()))
      return
    }
    for (const replica of replicas) replica.drain((replica.assigned?.timeoutMs ?? 0) + forgetGraceMs)
    await Promise.all(replicas.map((replica) => replica.ended))
    this.#silenceCheck.cancel()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close({ stopReplicas: true })
  }

  #spawn(): Promise<LocalReplica> {
    const spawning = this.#spawnKnown().finally(() => this.#spawning.delete(spawning))
    this.#spawning.add(spawning)
    return spawning
  }

  async #spawnKnown(): Promise<LocalReplica> {
    const replica = await spawnReplica({ ...this.#deps, ...this.#replicaDeps() })
    this.#know(replica)
    if (this.#closed) replica.drain(0)
    return replica
  }

  #replicaDeps() {
    const { clock, files, processes, dataFolder, runFolder } = this.#deps
    return { clock, files, processes, dataFolder, runFolder, onChange: (replica: LocalReplica) => this.#changed(replica) }
  }

  #know(replica: LocalReplica): void {
    this.#all.set(replica.id, replica)
    this.#tokens.set(replica.id, replica.tokenDigest)
    void replica.ended.then(() => {
      this.#all.delete(replica.id)
      this.#tokens.delete(replica.id)
      const { assigned } = replica
      if (assigned !== undefined)
        void pruneLogs(this.#deps.files, logFolder(this.#deps.dataFolder, assigned.namespace, assigned.function)).catch(() => undefined)
    })
  }

  #set(revisionUid: string): ReplicaSet {
    const known = this.#sets.get(revisionUid)
    if (known !== undefined) return known
    const { clock, random } = this.#deps
    const set = new ReplicaSet({
      clock,
      random,
      claim: () => this.#pool.claim(),
      onChange: () => {
        if (set.isOver && set.wanted !== undefined) this.#sets.delete(revisionUid)
        this.#tell()
      },
      log: (replica, message) => this.#logLoss(set, replica, message),
    })
    this.#sets.set(revisionUid, set)
    return set
  }

  #changed(replica: LocalReplica): void {
    const uid = replica.assigned?.revisionUid
    if (uid !== undefined) this.#sets.get(uid)?.changed(replica)
    this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }

  /** The replica can no longer say it itself. */
  #logLoss(set: ReplicaSet, { id, revision }: { id: string; revision: string }, msg: string): void {
    const about = set.wanted
    this.#deps.log.warn(msg, { replica: id, revision })
    if (about === undefined) return
    const { clock, files, dataFolder } = this.#deps
    const record: LogRecord = { ts: isoTime(clock.now()), level: 'error', msg, revision, replica: id, stream: 'platform' }
    const path = join(logFolder(dataFolder, about.namespace, about.function), `${id}.jsonl`)
    void files.appendFile(path, `${JSON.stringify(record)}\n`, { mode: 0o600 }).catch(() => undefined)
  }
}
