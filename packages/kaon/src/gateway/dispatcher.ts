import { KaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Network, System } from '../base/system.ts'
import type { RoutingTable } from '../model/routing-table.ts'
import { chooseRevision, type Wanted } from './choose-revision.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import { type Held, type HoldLimits, HoldQueue } from './hold-queue.ts'
import type { PoolWorker } from './revision-pool.ts'
import type { Router } from './router.ts'
import { type Place, ServedRevision } from './served-revision.ts'
import { WaitingReports } from './waiting-reports.ts'

/** A place in a worker that a call has. */
export type Slot = PoolWorker<Place>

/** A call as the dispatcher sees it. */
export interface DispatchedCall extends Held {
  readonly plan: { readonly wanted: Wanted }
  send(at: Slot): void
  /** It waits: for a worker at all (`forReplica`), or for room. */
  held(timeoutMs: number, forReplica: boolean): void
  fail(error: KaonError): void
}

export type DispatcherDeps = Pick<System, 'clock' | 'random'> & {
  network: Pick<Network, 'connect'>
  log: Log
  metrics: GatewayMetrics
  limits: HoldLimits & { unknownTimeoutMs: number }
  draw(): number
  isControlPlaneAway(): boolean
  onWaiting(revisionUid: string, count: number): void
}

/** How long a worker is left alone that refused a call as full, when nothing ends there before. */
const fullPauseMs = 20

/** Sends calls to workers, and holds those for which there is none or no room until there is. */
export class Dispatcher {
  readonly #deps: DispatcherDeps
  readonly #revisions = new Map<string, ServedRevision>()
  /** Calls for functions of which no revision is ready, by `namespace/name`. */
  readonly #unresolved = new Map<string, HoldQueue>()
  readonly #waiting: WaitingReports
  #router: Router

  constructor(deps: DispatcherDeps, router: Router) {
    this.#deps = deps
    this.#router = router
    this.#waiting = new WaitingReports(deps.clock, (uid) => deps.onWaiting(uid, this.#revisions.get(uid)?.queue.length ?? 0))
  }

  /** Takes a new table. Calls under way go on where they are; calls that wait are looked at again. */
  apply(table: RoutingTable, router: Router): void {
    this.#router = router
    const named = new Set(table.revisions.map(({ uid }) => uid))
    for (const routed of table.revisions) {
      const known = this.#revisions.get(routed.uid)
      const revision = known ?? new ServedRevision({ ...this.#deps, onRoom: (of) => this.#sendHeld(of) }, routed)
      if (known === undefined) this.#revisions.set(routed.uid, revision)
      revision.update(routed)
    }
    const moved: Held[] = []
    for (const [uid, revision] of this.#revisions) {
      if (!named.has(uid)) revision.update({ ...revision.routed, replicas: [] })
      if (revision.routed.replicas.length === 0) drain(revision.queue, moved)
      if (!named.has(uid)) this.#retire(revision)
    }
    for (const queue of this.#unresolved.values()) drain(queue, moved)
    this.#unresolved.clear()
    for (const call of moved) this.submit(call as DispatchedCall, false)
    for (const revision of this.#revisions.values()) this.#sendHeld(revision)
  }

  /** Sends it, holds it, or fails it. One that was sent before goes before those that were not. */
  submit(call: DispatchedCall, again: boolean): void {
    const choice = chooseRevision(this.#router, call.plan.wanted, this.#deps.draw())
    if (choice.kind === 'refuse') {
      call.fail(choice.error)
      return
    }
    const revision = choice.kind === 'wait' ? undefined : this.#revisions.get(choice.revision.uid)
    if (revision === undefined) {
      if (this.#enter(this.#unresolvedQueue(call.plan.wanted), call, again)) call.held(this.#deps.limits.unknownTimeoutMs, true)
      return
    }
    const slot = revision.queue.length === 0 || again ? revision.take() : undefined
    if (slot !== undefined) {
      call.send(slot)
      return
    }
    if (!this.#enter(revision.queue, call, again)) return
    this.#changed(revision)
    call.held(revision.routed.timeoutMs, !revision.pool.hasWorkers)
  }

  /** A call that held no place is over: it leaves its queue. */
  left(call: DispatchedCall): void {
    const { queue } = call
    if (queue === undefined) return
    queue.remove(call)
    for (const revision of this.#revisions.values()) if (revision.queue === queue) this.#changed(revision)
  }

  /** A call is over: whoever waits takes its place. */
  finished(slot: Slot): void {
    const { revision } = slot.target
    revision.release(slot)
    if (revision.queue.length > 0) this.#sendHeld(revision)
    if (revision.isRetired) this.#retire(revision)
  }

  /** A call came back from its worker without having been started. */
  refusedBy(slot: Slot, why: 'full' | 'closed' | 'lost'): void {
    const { revision } = slot.target
    revision.release(slot)
    if (why === 'closed') revision.pool.remove(slot)
    if (why !== 'full') return
    slot.isFull = true
    this.#deps.clock.after(fullPauseMs, () => {
      slot.isFull = false
      this.#sendHeld(revision)
    })
  }

  /** Why a call was not sent before its deadline. */
  whyStillHeld(call: DispatchedCall): KaonError {
    const { namespace, name } = call.plan.wanted
    const about = `the function '${name}' in namespace '${namespace}'`
    for (const revision of this.#revisions.values())
      if (revision.queue === call.queue && revision.pool.hasWorkers)
        return new KaonError('overloaded', `All replicas of ${about} were busy.`)
    return this.#deps.isControlPlaneAway()
      ? new KaonError('control_plane_away', `No replica of ${about} is ready, and the control plane that would start one is away.`)
      : new KaonError('no_replica', `No replica of ${about} became ready in time.`)
  }

  /** What the control plane should know when it comes back. */
  tellWaiting(): void {
    for (const [uid, { queue }] of this.#revisions) if (queue.length > 0) this.#deps.onWaiting(uid, queue.length)
  }

  /** A sign of life of every worker that has nothing to do. */
  checkIdle(): void {
    for (const revision of this.#revisions.values()) revision.checkIdle()
  }

  close(): void {
    for (const revision of this.#revisions.values()) revision.update({ ...revision.routed, replicas: [] })
  }

  #sendHeld(revision: ServedRevision): void {
    const before = revision.queue.length
    for (let first = revision.queue.first; first !== undefined; first = revision.queue.first) {
      const slot = revision.take()
      if (slot === undefined) break
      revision.queue.remove(first)
      const call = first as DispatchedCall
      call.send(slot)
    }
    if (revision.queue.length !== before) this.#changed(revision)
  }

  #enter(queue: HoldQueue, call: DispatchedCall, again: boolean): boolean {
    const isIn = again ? queue.unshift(call) : queue.push(call)
    if (!isIn) {
      const { maxHeld } = this.#deps.limits
      call.fail(
        new KaonError('overloaded', `More than ${maxHeld} calls of '${call.plan.wanted.name}' are waiting already.`, {
          retryAfterSeconds: 1,
        }),
      )
    }
    return isIn
  }

  #unresolvedQueue({ namespace, name }: Wanted): HoldQueue {
    const key = `${namespace}/${name}`
    const queue = this.#unresolved.get(key) ?? new HoldQueue(this.#deps.limits)
    this.#unresolved.set(key, queue)
    return queue
  }

  #changed(revision: ServedRevision): void {
    this.#deps.metrics.held(revision.series, revision.queue.length)
    this.#waiting.changed(revision.routed.uid, revision.queue.length)
  }

  /** Forgets a revision that left the table once its last call is over. */
  #retire(revision: ServedRevision): void {
    revision.isRetired = true
    if (revision.pool.inFlight > 0 || this.#revisions.get(revision.routed.uid) !== revision) return
    this.#revisions.delete(revision.routed.uid)
    this.#deps.metrics.forget(revision.series)
  }
}

function drain(queue: HoldQueue, into: Held[]): void {
  for (let first = queue.first; first !== undefined; first = queue.first) {
    queue.remove(first)
    into.push(first)
  }
}
