import { isLogged } from '../base/log.ts'
import type { Clock } from '../base/system.ts'
import { parseTime } from '../base/time.ts'
import type { ReplicaAssignment } from '../model/assignment.ts'
import type { LogRecord } from '../model/log-record.ts'
import type { LogQuery, ObservedReplica, Platform, WantedReplicas } from './platform.ts'

export type FakePlatformDeps = {
  clock: Pick<Clock, 'after' | 'sleep'>
  /** Becomes a replica's start; throws what makes it fail. Default: every start works at once. */
  start?(assignment: ReplicaAssignment, log: (record: LogRecord) => void): Promise<void>
  restartMs?: number
}

type FakeReplica = { observed: ObservedReplica; wanted: WantedReplicas }

/** A platform without processes, for tests of what is above it. It keeps the same promises and passes the same kit. */
export class FakePlatform implements Platform {
  readonly #deps: FakePlatformDeps
  readonly #wanted = new Map<string, WantedReplicas>()
  readonly #records: { namespace: string; function: string; record: LogRecord }[] = []
  readonly #listeners: (() => void)[] = []
  #replicas: FakeReplica[] = []
  #count = 0

  constructor(deps: FakePlatformDeps) {
    this.#deps = deps
  }

  ensure(wanted: WantedReplicas): void {
    this.#wanted.set(wanted.revisionUid, wanted)
    this.#reconcile(wanted.revisionUid)
  }

  replicas(): readonly ObservedReplica[] {
    return this.#replicas.map(({ observed }) => observed)
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  async *logs(query: LogQuery): AsyncGenerator<LogRecord> {
    let next = query.tail === undefined ? 0 : Math.max(0, this.#records.length - query.tail)
    for (;;) {
      for (; next < this.#records.length; next++) {
        const { namespace, function: name, record } = this.#records[next]!
        if (namespace === query.namespace && name === query.function && fits(record, query)) yield record
      }
      if (!query.follow || query.signal.aborted) return
      await this.#deps.clock.sleep(1, query.signal).catch(() => undefined)
    }
  }

  async forget(namespace: string, functionName: string): Promise<void> {
    const isOwn = (about: { namespace: string; function: string }) => about.namespace === namespace && about.function === functionName
    for (const wanted of [...this.#wanted.values()].filter(isOwn)) this.#wanted.delete(wanted.revisionUid)
    this.#replicas = this.#replicas.filter(({ wanted }) => !isOwn(wanted))
    for (let i = this.#records.length - 1; i >= 0; i--) if (isOwn(this.#records[i]!)) this.#records.splice(i, 1)
    this.#tell()
  }

  /** A replica dies, as by kill -9. */
  lose(id: string): void {
    const lost = this.#replicas.find(({ observed }) => observed.id === id)
    if (lost === undefined) return
    this.#replicas = this.#replicas.filter((replica) => replica !== lost)
    this.#tell()
    this.#begin(lost.wanted, lost.observed.restarts + 1)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wanted.clear()
    this.#replicas = []
  }

  #reconcile(revisionUid: string): void {
    const wanted = this.#wanted.get(revisionUid)
    if (wanted === undefined) return
    const own = this.#replicas.filter(({ observed }) => observed.revisionUid === revisionUid)
    const current = own.filter(({ observed }) => observed.configVersion === wanted.configVersion)
    const isReady = current.filter(({ observed }) => observed.phase === 'ready').length >= wanted.count
    const tooMany = [...current.slice(wanted.count), ...(isReady ? own.filter((replica) => !current.includes(replica)) : [])]
    this.#replicas = this.#replicas.filter((replica) => !tooMany.includes(replica))
    for (let missing = wanted.count - current.length; missing > 0; missing--) this.#begin(wanted, 0)
    if (tooMany.length > 0) this.#tell()
  }

  #begin(wanted: WantedReplicas, restarts: number): void {
    if (this.#wanted.get(wanted.revisionUid)?.configVersion !== wanted.configVersion) return
    const { namespace, function: name, revision, revisionUid, configVersion } = wanted
    const id = `fake${String(++this.#count).padStart(6, '0')}`
    const about = { namespace, function: name, name: revision, uid: revisionUid }
    const replica: FakeReplica = { observed: { phase: 'starting', id, revision: about, revisionUid, configVersion, restarts }, wanted }
    this.#replicas.push(replica)
    void this.#start(replica)
  }

  async #start(replica: FakeReplica): Promise<void> {
    const { wanted, observed } = replica
    const log = (record: LogRecord) => void this.#records.push({ namespace: wanted.namespace, function: wanted.function, record })
    try {
      await this.#deps.start?.(await wanted.assign(), log)
      replica.observed = { ...observed, phase: 'ready', link: `/fake/${observed.id}.sock` }
    } catch (error) {
      const { code = 'start_failed', message } = error as { code?: string; message: string }
      replica.observed = { ...observed, phase: 'failed', failure: { code, message } }
      this.#deps.clock.after(this.#deps.restartMs ?? 50, () => this.#replicas.includes(replica) && this.lose(observed.id))
    }
    this.#tell()
    this.#reconcile(wanted.revisionUid)
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

function fits(record: LogRecord, { revision, level, sinceMs }: LogQuery): boolean {
  return (
    (revision === undefined || record.revision === revision) &&
    (level === undefined || isLogged(record.level, level)) &&
    (sinceMs === undefined || parseTime(record.ts) >= sinceMs)
  )
}
