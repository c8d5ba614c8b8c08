import type { Log } from '../base/log.ts'
import type { Network, System } from '../base/system.ts'
import type { RoutedRevision } from '../model/routing-table.ts'
import type { GatewayMetrics, RevisionSeries } from './gateway-metrics.ts'
import { type HoldLimits, HoldQueue } from './hold-queue.ts'
import { ReplicaLink } from './replica-link.ts'
import { type PoolReplica, type PoolWorker, RevisionPool } from './revision-pool.ts'
import type { WorkerConnection } from './worker-connection.ts'

/** How a worker is reached, and whose it is. */
export type Place = { connection: WorkerConnection; revision: ServedRevision }

export type ServedRevisionDeps = Pick<System, 'clock' | 'random'> & {
  network: Pick<Network, 'connect'>
  log: Log
  metrics: GatewayMetrics
  limits: HoldLimits
  draw(): number
  /** A worker became ready. */
  onRoom(revision: ServedRevision): void
}

/** A revision that is served: its replicas, the calls that wait for one, and its series. */
export class ServedRevision {
  readonly #deps: ServedRevisionDeps
  readonly #links = new Map<string, ReplicaLink>()
  readonly pool: RevisionPool<Place>
  readonly queue: HoldQueue
  readonly series: RevisionSeries
  /** As answers name it. */
  readonly functionName: string
  routed: RoutedRevision
  /** It left the table. */
  isRetired = false

  constructor(deps: ServedRevisionDeps, routed: RoutedRevision) {
    this.#deps = deps
    this.routed = routed
    this.functionName = `${routed.namespace}/${routed.function}`
    this.pool = new RevisionPool(routed.concurrency, deps.draw)
    this.queue = new HoldQueue(deps.limits)
    this.series = deps.metrics.revision(routed.namespace, routed.function, routed.name)
  }

  /** Connects to replicas that are new and lets go of those that are no longer named. */
  update(routed: RoutedRevision): void {
    this.routed = routed
    this.isRetired = false
    this.pool.limit = routed.concurrency
    const named = new Map(routed.replicas.map((replica) => [`${replica.id} ${replica.link}`, replica]))
    for (const [key, link] of this.#links) {
      if (named.has(key)) continue
      this.#links.delete(key)
      link.close()
    }
    for (const [key, { id, link }] of named) if (!this.#links.has(key)) this.#links.set(key, this.#connect(id, link))
  }

  /** Takes a place in the best worker; undefined when none has room. */
  take(): PoolWorker<Place> | undefined {
    const slot = this.pool.take()
    if (slot !== undefined) this.#deps.metrics.inFlight(this.series, this.pool.inFlight)
    return slot
  }

  release(slot: PoolWorker<Place>): void {
    this.pool.release(slot)
    this.#deps.metrics.inFlight(this.series, this.pool.inFlight)
  }

  checkIdle(): void {
    for (const link of this.#links.values()) link.checkIdle()
  }

  #connect(id: string, path: string): ReplicaLink {
    const replica: PoolReplica<Place> = { id, inFlight: 0, workers: [] }
    const slots = new Map<WorkerConnection, PoolWorker<Place>>()
    return new ReplicaLink(this.#deps, path, {
      onReady: (connection) => {
        slots.set(connection, this.pool.add(replica, { connection, revision: this }))
        this.#deps.onRoom(this)
      },
      onUnready: (connection) => {
        const slot = slots.get(connection)
        slots.delete(connection)
        if (slot !== undefined) this.pool.remove(slot)
      },
    })
  }
}
