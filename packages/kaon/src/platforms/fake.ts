import { KaonError } from '../base/errors.ts'
import type { ReplicaAssignment } from '../model/assignment.ts'
import type { LogRecord } from '../model/log-record.ts'
import type { LogQuery, ObservedReplica, Platform, WantedReplicas } from './platform.ts'

type FakeReplica = ObservedReplica & { namespace: string; assignment?: ReplicaAssignment }

/** What becomes of replicas of a revision that are started. */
export type FakeStart = { kind: 'ready' } | { kind: 'starting' } | { kind: 'failed'; code: string; message: string }

/** A platform without processes, for tests of what stands above it: replicas come and go in the next turn. */
export class FakePlatform implements Platform {
  readonly #wanted = new Map<string, WantedReplicas>()
  readonly #listeners: (() => void)[] = []
  #replicas: FakeReplica[] = []
  #count = 0
  #isDue = false
  /** By revision name; `ready` for the others. */
  readonly starts = new Map<string, FakeStart>()
  readonly forgotten: string[] = []
  /** Called before each call from above; may throw, as a crash would. */
  beforeCall: () => void = () => {}

  ensure(wanted: WantedReplicas): void {
    this.beforeCall()
    this.#wanted.set(wanted.revisionUid, wanted)
    this.#act()
  }

  replicas(): readonly ObservedReplica[] {
    return this.#replicas
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  async *logs(_: LogQuery): AsyncIterable<LogRecord> {}

  async forget(namespace: string, functionName: string): Promise<void> {
    this.beforeCall()
    this.#replicas = this.#replicas.filter(({ revision }) => !(revision?.namespace === namespace && revision.function === functionName))
    this.forgotten.push(`${namespace}/${functionName}`)
    this.#tell()
  }

  /** What the newest replica of a revision was told. */
  assignmentOf(revision: string): ReplicaAssignment | undefined {
    return this.#replicas.findLast((replica) => replica.revision?.name === revision)?.assignment
  }

  /** Another control plane takes over: what was asked for is forgotten, the replicas run on, the old listeners hear nothing more. */
  handOver(): void {
    this.#wanted.clear()
    this.#listeners.length = 0
  }

  /** Has the starts decided anew for replicas that are not ready. */
  retry(): void {
    this.#replicas = this.#replicas.filter(({ phase }) => phase === 'ready')
    this.#act()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#replicas = []
  }

  #act(): void {
    if (this.#isDue) return
    this.#isDue = true
    queueMicrotask(async () => {
      this.#isDue = false
      for (const wanted of this.#wanted.values()) await this.#move(wanted)
      this.#tell()
    })
  }

  async #move(wanted: WantedReplicas): Promise<void> {
    const own = () => this.#replicas.filter((replica) => replica.revisionUid === wanted.revisionUid)
    const current = () => own().filter((replica) => replica.configVersion === wanted.configVersion)
    for (let missing = wanted.count - current().length; missing > 0; missing--) {
      const assignment = await wanted.assign().catch((error: unknown) => error as Error)
      this.#replicas.push(this.#started(wanted, assignment))
    }
    const surplus = [...own().filter((replica) => !current().includes(replica)), ...current().slice(wanted.count)]
    this.#replicas = this.#replicas.filter((replica) => !surplus.includes(replica))
  }

  #started(wanted: WantedReplicas, assignment: ReplicaAssignment | Error): FakeReplica {
    const id = `replica${String(++this.#count).padStart(3, '0')}`
    const { namespace, revisionUid, configVersion } = wanted
    const revision = { namespace, function: wanted.function, name: wanted.revision, uid: revisionUid }
    const base = { id, namespace, revision, revisionUid, configVersion, restarts: 0 }
    if (assignment instanceof Error) {
      const code = assignment instanceof KaonError ? assignment.code : 'start_failed'
      return { ...base, phase: 'failed', failure: { code, message: assignment.message } }
    }
    const start = this.starts.get(wanted.revision) ?? { kind: 'ready' }
    if (start.kind === 'ready') return { ...base, phase: 'ready', link: `/run/l-${id}.sock`, assignment }
    if (start.kind === 'starting') return { ...base, phase: 'starting', assignment }
    return { ...base, phase: 'failed', failure: { code: start.code, message: start.message }, assignment }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}
