import type { Log } from '../base/log.ts'
import type { Clock, Random } from '../base/system.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { Builder } from '../model/builder.ts'
import type { Platform } from '../platforms/platform.ts'
import type { Store } from '../stores/store.ts'
import type { BuildLogWriter } from './builds.ts'
import { Builds } from './builds.ts'
import type { Caches } from './caches.ts'
import { collectUnused } from './collector.ts'
import type { Events } from './events.ts'
import { FunctionController } from './function.ts'
import { createGarbageCollector, parseGarbageKey } from './garbage.ts'
import { createNamespaceController } from './namespace.ts'
import { createReconciler, type ObserveReconcile, type Reconciler } from './reconciler.ts'
import { RevisionController } from './revision.ts'
import { createRouteController } from './route.ts'
import type { RoutingPublisher } from './routing-publisher.ts'
import { type Triggers, watchForWork } from './triggers.ts'
import type { Requeue } from './work-queue.ts'

/** What the controllers stand on; `app/` hands it over. */
export type ControllerDeps = {
  store: Pick<Store, 'get' | 'list' | 'write' | 'watch'>
  caches: Caches
  platform: Pick<Platform, 'ensure' | 'replicas' | 'onChange' | 'forget'>
  builder: Pick<Builder, 'build' | 'find' | 'collect'>
  buildLogs: BuildLogWriter & {
    /** The logs of all revisions of a function. */
    remove(namespace: string, functionName: string): Promise<void>
    removeRevision(namespace: string, revision: string): Promise<void>
  }
  blobs: Pick<BlobStore, 'list' | 'remove'>
  clock: Clock
  random: Random
  log: Log
  events: Events
  /** Key of the hash that tells whether a replica's values have changed. The same over restarts. */
  salt: Buffer
  /** Address of a function on the gateway. */
  urlOf(namespace: string, name: string): string
  places: { gatewaySocket: string; logFolderOf(namespace: string, name: string): string }
  observe: ObserveReconcile
}

export interface Controllers {
  readonly reconcilers: Readonly<Record<keyof Triggers, Reconciler>>
  /** Ends the loops and the builds; replicas are left as they are. */
  stop(): Promise<void>
}

const buildsSideBySide = 2
const adoptionMs = 2_500
const collectPeriodMs = 3_600_000
const expirePeriodMs = 300_000

/** Starts the loops: at once for what only writes, and for what moves replicas and traffic when those that were running had time to say so. */
export function startControllers(deps: ControllerDeps, routing: RoutingPublisher): Controllers {
  const { caches, clock, platform, log } = deps
  const stop = new AbortController()
  const dependents = new Map<string, Set<string>>()
  const builds = new Builds({ ...deps, parallelism: buildsSideBySide, onChange: (key) => reconcilers.revision.enqueue(key) })
  const reconcilers = createReconcilers(deps, { routing, builds, dependents })
  const gate = new Gate(reconcilers)
  watchForWork({ caches, platform, routing, triggers: gate.triggers, dependents })
  for (const informer of Object.values(caches)) void informer.run(stop.signal)
  const synced = Promise.all(Object.values(caches).map((informer) => informer.synced))
  void Promise.all([synced, adoption(platform, clock, stop.signal)]).then(() => {
    if (stop.signal.aborted) return
    gate.open()
    routing.open()
  })
  void synced.then(() => reconcilers.namespace.enqueue('/default'))
  const sweeps = [
    clock.every(collectPeriodMs, () => sweep(() => collectUnused(deps), log), { idle: true }),
    clock.every(expirePeriodMs, () => sweep(() => deps.events.expire(), log), { idle: true }),
  ]
  return {
    reconcilers,
    async stop() {
      stop.abort()
      for (const timer of sweeps) timer.cancel()
      await Promise.all(Object.values(reconcilers).map((reconciler) => reconciler.stop()))
      await builds.stop()
      await deps.events.settled()
    },
  }
}

type Reconcilers = Record<keyof Triggers, Reconciler>
type Parts = { routing: RoutingPublisher; builds: Builds; dependents: ReadonlyMap<string, ReadonlySet<string>> }

function createReconcilers(deps: ControllerDeps, { routing, builds, dependents }: Parts): Reconcilers {
  const { clock, random, log, observe } = deps
  const fn = new FunctionController({ ...deps, routing })
  const revision = new RevisionController({ ...deps, builds, routing, enqueue: (key) => reconcilers.revision.enqueue(key) })
  const garbage = createGarbageCollector(deps, (uid) => [...(dependents.get(uid) ?? [])].map(parseGarbageKey))
  const loop = (name: string, reconcile: (key: string) => Promise<Requeue>) =>
    createReconciler({ name, reconcile, clock, random, log, observe })
  const reconcilers: Reconcilers = {
    namespace: loop('namespace', createNamespaceController(deps).reconcile),
    function: loop('function', (key) => fn.reconcile(key)),
    revision: loop('revision', (key) => revision.reconcile(key)),
    route: loop('route', createRouteController(deps).reconcile),
    garbage: loop('garbage', garbage.reconcile),
  }
  return reconcilers
}

/** Keeps back what would judge by which replicas are there, until it is known which are. */
class Gate {
  readonly #reconcilers: Reconcilers
  readonly #held = { function: new Set<string>(), revision: new Set<string>() }
  #isOpen = false
  readonly triggers: Triggers

  constructor(reconcilers: Reconcilers) {
    this.#reconcilers = reconcilers
    const { namespace, route, garbage } = reconcilers
    this.triggers = {
      namespace: (key) => namespace.enqueue(key),
      function: (key) => this.#pass('function', key),
      revision: (key) => this.#pass('revision', key),
      route: (key) => route.enqueue(key),
      garbage: (key) => garbage.enqueue(key),
    }
  }

  open(): void {
    this.#isOpen = true
    for (const kind of ['function', 'revision'] as const) {
      for (const key of this.#held[kind]) this.#reconcilers[kind].enqueue(key)
      this.#held[kind].clear()
    }
  }

  #pass(kind: 'function' | 'revision', key: string): void {
    if (this.#isOpen) this.#reconcilers[kind].enqueue(key)
    else this.#held[kind].add(key)
  }
}

function sweep(work: () => Promise<void>, log: Log): void {
  work().catch((error: unknown) => log.warn('Clearing up failed; it is tried again later.', { error: String(error) }))
}

/** Resolves when the replicas of the life before have dialled or gone, or had time enough for it: until then nothing is decided by who is missing. */
async function adoption(platform: ControllerDeps['platform'], clock: Clock, signal: AbortSignal): Promise<void> {
  const expected = platform.replicas().filter(({ phase }) => phase === 'starting')
  const deadline = clock.monotonic() + adoptionMs
  const isPending = () =>
    expected.some(({ id }) => platform.replicas().some((replica) => replica.id === id && replica.phase === 'starting'))
  while (isPending() && clock.monotonic() < deadline && !signal.aborted) await clock.sleep(20, signal).catch(() => {})
}
