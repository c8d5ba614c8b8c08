import { asKaonError } from '../../base/errors.ts'
import { backoffMs } from '../../base/retry.ts'
import type { System, Timer } from '../../base/system.ts'
import type { ObservedReplica, WantedReplicas } from '../platform.ts'
import { decide } from './decide.ts'
import type { LocalReplica, ReplicaEnding } from './local-replica.ts'

const restartBackoff = { firstMs: 200, maxMs: 30_000 }
/** A replica that was ready this long starts its back-off anew when it dies. */
const healthyMs = 60_000
/** Beyond the function's own timeout: what a drain takes besides. */
const drainSlackMs = 5_000

export type ReplicaSetDeps = Pick<System, 'clock' | 'random'> & {
  claim(): Promise<LocalReplica>
  onChange(): void
  /** Writes a word into the function's log. */
  log(replica: { id: string; revision: string }, message: string): void
}

/** A place whose replica ended without being asked to: when it may be filled again, and what it went through. */
type Vacancy = { notBefore: number; failures: number; restarts: number }

/** The replicas of one revision: moves towards what is wanted, starts again what dies. */
export class ReplicaSet {
  readonly #deps: ReplicaSetDeps
  #wanted: WantedReplicas | undefined
  #replicas: LocalReplica[] = []
  #vacancies: Vacancy[] = []
  readonly #failures = new Map<string, number>()
  #starting = 0
  #failure: ObservedReplica | undefined
  #timer: Timer | undefined
  #closed = false

  constructor(deps: ReplicaSetDeps) {
    this.#deps = deps
  }

  get wanted(): WantedReplicas | undefined {
    return this.#wanted
  }

  get replicas(): readonly LocalReplica[] {
    return this.#replicas
  }

  /** Nothing is wanted and nothing is left. */
  get isOver(): boolean {
    return this.#replicas.length === 0 && this.#starting === 0 && (this.#wanted?.count ?? 0) === 0
  }

  want(wanted: WantedReplicas): void {
    // Another configuration may be what was missing: try it at once.
    if (wanted.configVersion !== this.#wanted?.configVersion) this.#forgive()
    if (wanted.count === 0) this.#failure = undefined
    this.#wanted = wanted
    this.reconcile()
  }

  /** Takes in a replica that has its assignment: a claimed one, or one that outlived the control plane. */
  add(replica: LocalReplica, failures = 0): void {
    this.#replicas.push(replica)
    this.#failures.set(replica.id, failures)
    void replica.ended.then((ending) => this.#ended(replica, ending))
  }

  /** A member said something new. */
  changed(replica: LocalReplica): void {
    if (replica.report.phase === 'ready') this.#failure = undefined
    this.reconcile()
  }

  observed(): ObservedReplica[] {
    const all = this.#replicas.flatMap((replica): ObservedReplica[] => {
      const { assigned, id, pid, report } = replica
      if (assigned === undefined) return []
      return [{ ...report, id, pid, revisionUid: assigned.revisionUid, configVersion: assigned.configVersion, restarts: assigned.restarts }]
    })
    return this.#failure === undefined ? all : [...all, this.#failure]
  }

  reconcile(): void {
    const wanted = this.#wanted
    if (wanted === undefined || this.#closed) return
    const members = this.#replicas.map((replica) => ({
      id: replica.id,
      isCurrent: replica.assigned?.configVersion === wanted.configVersion,
      isReady: replica.report.phase === 'ready',
      isDraining: replica.isDraining,
    }))
    const { start, drain } = decide(members, wanted.count)
    for (const replica of this.#replicas.filter(({ id }) => drain.includes(id)))
      replica.drain((replica.assigned?.timeoutMs ?? 0) + drainSlackMs)
    this.#fill(Math.max(0, start - this.#starting))
  }

  /** Starts nothing more. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #fill(count: number): void {
    this.#vacancies = this.#vacancies.sort((a, b) => a.notBefore - b.notBefore).slice(0, count)
    const now = this.#deps.clock.monotonic()
    for (let fresh = count - this.#vacancies.length; fresh > 0; fresh--) void this.#start({ notBefore: 0, failures: 0, restarts: 0 })
    while (this.#vacancies[0] !== undefined && this.#vacancies[0].notBefore <= now) void this.#start(this.#vacancies.shift() as Vacancy)
    this.#timer?.cancel()
    const next = this.#vacancies[0]
    if (next !== undefined) this.#timer = this.#deps.clock.after(next.notBefore - now, () => this.reconcile(), { idle: true })
  }

  async #start(vacancy: Vacancy): Promise<void> {
    const wanted = this.#wanted as WantedReplicas
    this.#starting++
    try {
      const assignment = await wanted.assign()
      const replica = await this.#deps.claim()
      const { namespace, function: name, revision, revisionUid, configVersion } = wanted
      const { restarts, failures } = vacancy
      replica.assign(assignment, {
        namespace,
        function: name,
        revision,
        revisionUid,
        configVersion,
        timeoutMs: assignment.timeoutMs,
        restarts,
      })
      this.add(replica, failures)
      if (this.#closed) replica.drain(0)
    } catch (error) {
      const { code, message, hint } = asKaonError(error)
      this.#vacate(vacancy.failures + 1, vacancy.restarts)
      this.#fail(wanted, '', { code, message: hint === undefined ? message : `${message} ${hint}` }, vacancy.restarts)
    } finally {
      this.#starting--
    }
    this.#deps.onChange()
    this.reconcile()
  }

  #ended(replica: LocalReplica, { wasAsked, reason, readyForMs }: ReplicaEnding): void {
    const failures = readyForMs >= healthyMs ? 1 : (this.#failures.get(replica.id) ?? 0) + 1
    this.#failures.delete(replica.id)
    this.#replicas = this.#replicas.filter((other) => other !== replica)
    const { assigned } = replica
    if (!wasAsked && assigned !== undefined) {
      const { failure } = replica.report
      this.#vacate(failures, assigned.restarts + 1)
      if (failure === undefined) this.#deps.log({ id: replica.id, revision: assigned.revision }, `The replica was lost: ${reason}.`)
      // One that ran and died is simply started again; what will not start, or dies again and again, is shown until one is ready.
      const shown =
        failure ?? (failures > 1 ? { code: 'start_failed', message: `The replica ends again and again: ${reason}.` } : undefined)
      if (shown !== undefined) this.#fail(assigned, replica.id, shown, assigned.restarts)
    }
    this.#deps.onChange()
    this.reconcile()
  }

  #vacate(failures: number, restarts: number): void {
    const delayMs = failures <= 1 ? 0 : backoffMs(failures - 1, restartBackoff, this.#deps.random)
    this.#vacancies.push({ notBefore: this.#deps.clock.monotonic() + delayMs, failures, restarts })
  }

  #fail(
    about: Pick<WantedReplicas, 'namespace' | 'function' | 'revision' | 'revisionUid' | 'configVersion'>,
    id: string,
    failure: { code: string; message: string },
    restarts: number,
  ): void {
    if (this.#wanted?.count === 0) return
    const { namespace, function: name, revision, revisionUid, configVersion } = about
    this.#failure = {
      phase: 'failed',
      id,
      revision: { namespace, function: name, name: revision, uid: revisionUid },
      revisionUid,
      configVersion,
      restarts,
      failure,
    }
  }

  #forgive(): void {
    this.#failure = undefined
    for (const vacancy of this.#vacancies) {
      vacancy.notBefore = 0
      vacancy.failures = 0
    }
  }
}
