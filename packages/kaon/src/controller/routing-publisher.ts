import type { Clock } from '../base/system.ts'
import type { RoutedFunction, RoutingTable } from '../model/routing-table.ts'
import { canonicalJson } from './canonical-json.ts'

/** How long a gateway that does not answer can keep replicas alive that it should no longer use. */
const patienceMs = 5_000
const keptVersions = 200

type GatewayState = { applied: string | null }

export type RoutingPublisherDeps = {
  clock: Pick<Clock, 'monotonic' | 'after'>
  /** The table as it should be now. */
  compute(): RoutingTable
}

/**
 * Makes the routing table anew when asked to, tells who wants to know when it differs, and remembers what the gateways have applied:
 * so that a revision's replicas end only when no gateway sends to them, and a function is called ready only when it can be reached.
 */
export class RoutingPublisher {
  readonly #deps: RoutingPublisherDeps
  readonly #gateways = new Map<string, GatewayState>()
  /** Version → its number; higher is later. */
  readonly #order = new Map<string, number>()
  /** Revision uid → when it left the table, and with which number. */
  readonly #dropped = new Map<string, { atMs: number; number: number }>()
  /** Function uid → its traffic as a gateway has applied it. */
  readonly #reachable = new Map<string, string>()
  readonly #tableListeners: ((table: RoutingTable) => void)[] = []
  readonly #appliedListeners: (() => void)[] = []
  readonly #startedAtMs: number
  #table: RoutingTable | undefined
  #number = 0
  #isOpen = false
  #isDue = false

  constructor(deps: RoutingPublisherDeps) {
    this.#deps = deps
    this.#startedAtMs = deps.clock.monotonic()
  }

  /** The table as last made; undefined until everything it is made from has been read once. */
  get table(): RoutingTable | undefined {
    return this.#table
  }

  onTable(listener: (table: RoutingTable) => void): void {
    this.#tableListeners.push(listener)
  }

  /** Called when a gateway has applied a table, or went away. */
  onApplied(listener: () => void): void {
    this.#appliedListeners.push(listener)
  }

  /** From here on tables are made: the resources are read and the replicas that were running have had time to say so. */
  open(): void {
    this.#isOpen = true
    this.changed()
  }

  /** Something that the table is made from may have changed. Several calls in one go make one table. */
  changed(): void {
    if (!this.#isOpen || this.#isDue) return
    this.#isDue = true
    queueMicrotask(() => {
      this.#isDue = false
      this.#publish()
    })
  }

  gatewayJoined(id: string, tableVersion: string | null): void {
    this.#gateways.set(id, { applied: tableVersion })
    if (tableVersion !== null) this.gatewayApplied(id, tableVersion)
  }

  gatewayLeft(id: string): void {
    if (this.#gateways.delete(id)) this.#tellApplied()
  }

  gatewayApplied(id: string, version: string): void {
    const gateway = this.#gateways.get(id)
    if (gateway === undefined) return
    gateway.applied = version
    if (version === this.#table?.version) this.#noteReachable(this.#table)
    this.#tellApplied()
  }

  /** Whether a gateway may still send requests to this revision. */
  isInUse(revisionUid: string): boolean {
    const now = this.#deps.clock.monotonic()
    if (this.#table?.revisions.some(({ uid }) => uid === revisionUid)) return true
    const dropped = this.#dropped.get(revisionUid)
    // Not seen in any table of this life: a gateway may still hold a table of the life before.
    const since = dropped ?? { atMs: this.#startedAtMs, number: 1 }
    if (now - since.atMs >= patienceMs) return false
    if (this.#gateways.size === 0) return dropped !== undefined
    return [...this.#gateways.values()].some(({ applied }) => (this.#order.get(applied ?? '') ?? 0) < since.number)
  }

  /** Whether a gateway has applied this very traffic of the function. */
  isReachable(functionUid: string, expected: Pick<RoutedFunction, 'traffic' | 'tags'>): boolean {
    return expected.traffic.length > 0 && this.#reachable.get(functionUid) === trafficKey(expected)
  }

  get hasGateway(): boolean {
    return this.#gateways.size > 0
  }

  #publish(): void {
    const table = this.#deps.compute()
    if (table.version === this.#table?.version) return
    const before = this.#table
    this.#table = table
    this.#number++
    this.#order.delete(table.version)
    this.#order.set(table.version, this.#number)
    for (const version of [...this.#order.keys()].slice(0, -keptVersions)) this.#order.delete(version)
    this.#noteDropped(before, table)
    // A gateway may hold this very table from an earlier life.
    if ([...this.#gateways.values()].some(({ applied }) => applied === table.version)) this.#noteReachable(table)
    for (const listener of this.#tableListeners) listener(table)
  }

  #noteDropped(before: RoutingTable | undefined, after: RoutingTable): void {
    const now = this.#deps.clock.monotonic()
    const present = new Set(after.revisions.map(({ uid }) => uid))
    for (const uid of present) this.#dropped.delete(uid)
    for (const { uid } of before?.revisions ?? []) if (!present.has(uid)) this.#dropped.set(uid, { atMs: now, number: this.#number })
    for (const [uid, { atMs }] of this.#dropped) if (now - atMs > 2 * patienceMs) this.#dropped.delete(uid)
  }

  #noteReachable(table: RoutingTable): void {
    this.#reachable.clear()
    for (const routed of table.functions) this.#reachable.set(routed.uid, trafficKey(routed))
  }

  #tellApplied(): void {
    for (const listener of this.#appliedListeners) listener()
  }
}

function trafficKey({ traffic, tags }: Pick<RoutedFunction, 'traffic' | 'tags'>): string {
  return canonicalJson({ traffic, tags })
}
