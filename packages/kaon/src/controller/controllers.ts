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
import { createFunctionController } from './function.ts'
import { createGarbageCollector } from './garbage.ts'
import { createNamespaceController } from './namespace.ts'
import { createReconciler, type ObserveReconcile, type Reconciler } from './reconciler.ts'
import { createRevisionController } from './revision.ts'
import { createRouteController } from './route.ts'
import type { RoutingPublisher } from './routing-publisher.ts'
import { type Triggers, watchForWork } from './triggers.ts'

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
const hourMs = 3_600_000

/** Starts the loops: at once for what only writes, and for what moves replicas and traffic when those that were running had time to say so. */
export function startControllers(deps: ControllerDeps, routing: RoutingPublisher): Controllers {
  const { caches, clock, platform, log } = deps
  const stop = new AbortController()
  const reconciler = (
    name: string,
    reconcile: (key: string) => ReturnType<Parameters<typeof createReconciler>[0]['reconcile']>,
  ): Reconciler => createReconciler({ name, reconcile, clock, random: deps.random, log, observe: deps.observe })

  const builds = new Builds({ ...deps, parallelism: buildsSideBySide, onChange: (key) => reconcilers.revision.enqueue(key) })
  const revision = createRevisionController({ ...deps, builds, routing, enqueue: (key) => reconcilers.revision.enqueue(key) })
  const dependents = new Map<string, Set<string>>()
  const garbage = createGarbageCollector(deps, (uid) =>
    [...(dependents.get(uid) ?? [])].map((key) => {
      const [kind, namespace, name] = key.split('/') as [string, string, string]
      return { kind, namespace, name }
    }),
  )
  const reconcilers: Record<keyof Triggers, Reconciler> = {
    namespace: reconciler('namespace', createNamespaceController(deps).reconcile),
    function: reconciler('function', createFunctionController({ ...deps, routing }).reconcile),
    revision: reconciler('revision', revision.reconcile),
    route: reconciler('route', createRouteController(deps).reconcile),
    garbage: reconciler('garbage', garbage.reconcile),
  }

  const adopted = adoption(platform, clock, stop.signal)
  const held = new Set<string>()
  let isAdopted = false
  const triggers: Triggers = {
    namespace: (key) => reconcilers.namespace.enqueue(key),
    function: (key) => (isAdopted ? reconcilers.function.enqueue(key) : held.add(`function ${key}`)),
    revision: (key) => (isAdopted ? reconcilers.revision.enqueue(key) : held.add(`revision ${key}`)),
    route: (key) => reconcilers.route.enqueue(key),
    garbage: (key) => reconcilers.garbage.enqueue(key),
  }
  watchForWork({ caches, platform, routing, triggers, dependents })
  for (const informer of Object.values(caches)) void informer.run(stop.signal)
  const synced = Promise.all(Object.values(caches).map((informer) => informer.synced))
  void Promise.all([synced, adopted]).then(() => {
    if (stop.signal.aborted) return
    isAdopted = true
    for (const entry of held) {
      const [kind, key] = entry.split(' ') as ['function' | 'revision', string]
      reconcilers[kind].enqueue(key)
    }
    held.clear()
    routing.open()
  })
  void synced.then(() => reconcilers.namespace.enqueue('/default'))

  const hourly = clock.every(hourMs, () => sweep(() => collectUnused(deps), log), { idle: true })
  const often = clock.every(300_000, () => sweep(() => deps.events.expire(), log), { idle: true })
  return {
    reconcilers,
    async stop() {
      stop.abort()
      hourly.cancel()
      often.cancel()
      await Promise.all(Object.values(reconcilers).map((r) => r.stop()))
      await builds.stop()
      await deps.events.settled()
    },
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
