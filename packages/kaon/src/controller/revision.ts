import { KaonError } from '../base/errors.ts'
import { kubernetesTime } from '../base/time.ts'
import type { ReplicaAssignment } from '../model/assignment.ts'
import type { FunctionResource } from '../model/function.ts'
import { type Condition, findCondition, type Stored } from '../model/metadata.ts'
import type { RevisionResource } from '../model/revision.ts'
import type { ObservedReplica, WantedReplicas } from '../platforms/platform.ts'
import { assignmentOf, configVersionOf } from './assignment.ts'
import type { Builds } from './builds.ts'
import type { ControllerDeps } from './controllers.ts'
import { type Demand, demandFor, replicaCount } from './demand.ts'
import { parseQueueKey, writeStatus } from './objects.ts'
import { type ResolvedReferences, resolveReferences } from './references.ts'
import { type BuildFacts, isFinalBuild, isFinalStart, revisionStatus, startDeadlineMs } from './revision-status.ts'
import { functionKeyOf } from './routing.ts'
import type { RoutingPublisher } from './routing-publisher.ts'
import type { Requeue } from './work-queue.ts'

export type RevisionControllerDeps = ControllerDeps & {
  builds: Builds
  routing: Pick<RoutingPublisher, 'isInUse'>
  /** Have the revision looked at again. */
  enqueue(key: string): void
}

/** Built once, then as many replicas as its function asks for while it is needed. */
export function createRevisionController(deps: RevisionControllerDeps): { reconcile(key: string): Promise<Requeue> } {
  const { caches, store, platform, builds, clock } = deps
  /** Revision uid → digest of its artifact, once that was seen on this machine. */
  const present = new Map<string, string>()
  /** Revision uid → when this life of the control plane began to start it. */
  const startingSince = new Map<string, number>()

  function functionOf(revision: Stored<RevisionResource>): Stored<FunctionResource> | undefined {
    const [namespace, name] = functionKeyOf(revision).split('/') as [string, string]
    const fn = caches.functions.get(namespace, name)
    return fn === undefined || fn.metadata.deletionTimestamp ? undefined : fn
  }

  function referencesOf(revision: Stored<RevisionResource>): ResolvedReferences {
    const namespace = revision.metadata.namespace ?? ''
    return resolveReferences(revision.spec, {
      secret: (name) => caches.secrets.get(namespace, name),
      configMap: (name) => caches.configMaps.get(namespace, name),
    })
  }

  /** The build as it stands, asked for when it is needed: nothing is built for a revision that nobody waits for. */
  async function buildOf(revision: Stored<RevisionResource>, demand: Demand): Promise<BuildFacts> {
    const { uid } = revision.metadata
    const { artifact, conditions } = revision.status ?? {}
    const built = findCondition(conditions, 'Built')
    if (demand === 'superseded' && built?.status !== 'True') {
      builds.cancel(uid)
      return { kind: 'superseded' }
    }
    if (artifact !== undefined && built?.status === 'True') {
      const isThere = demand === 'idle' || present.get(uid) === artifact || (await deps.builder.find(artifact)) !== undefined
      if (isThere) {
        present.set(uid, artifact)
        builds.cancel(uid)
        return { kind: 'artifact' }
      }
    }
    if (built !== undefined && isFinalBuild(built) && !builds.has(uid)) return { kind: 'refused', before: built }
    const build = builds.request(revision)
    if (build.kind === 'built') present.set(uid, build.result.manifest.digest)
    return build
  }

  async function assign(key: string, uid: string): Promise<ReplicaAssignment> {
    const { namespace, name } = parseQueueKey(key)
    const revision = caches.revisions.get(namespace, name)
    const fn = revision === undefined ? undefined : functionOf(revision)
    if (revision === undefined || fn === undefined || revision.metadata.uid !== uid)
      throw new KaonError('not_found', `Revision '${name}' is being removed.`)
    const references = referencesOf(revision)
    if (references.missing.length > 0) throw new KaonError('start_failed', references.missing.join(' '))
    const artifact = await deps.builder.find(present.get(uid) ?? revision.status?.artifact ?? '')
    if (artifact === undefined) {
      // Removed from the disk behind our back: the next look builds it again.
      present.delete(uid)
      builds.cancel(uid)
      deps.enqueue(key)
      throw new KaonError('start_failed', `The artifact of revision '${name}' is gone; it is being built again.`)
    }
    const { gatewaySocket, logFolderOf } = deps.places
    return assignmentOf({
      fn,
      revision,
      references,
      artifactFolder: artifact.artifactFolder,
      gatewaySocket,
      logFolder: logFolderOf(namespace, fn.metadata.name),
    })
  }

  function ensure(revision: Stored<RevisionResource>, fn: Stored<FunctionResource>, count: number, references: ResolvedReferences): void {
    const { namespace = '', name, uid } = revision.metadata
    const key = `${namespace}/${name}`
    // With a value missing nothing new can start, but what runs goes on with the values it has.
    const running = platform.replicas().findLast((replica) => replica.revisionUid === uid)?.configVersion
    const isComplete = references.missing.length === 0
    if (!isComplete && running === undefined && count > 0) return
    const configVersion = isComplete ? configVersionOf(references, fn.spec.logging.level, deps.salt) : (running ?? '')
    platform.ensure({
      namespace,
      function: fn.metadata.name,
      revision: name,
      revisionUid: uid,
      count,
      configVersion,
      assign: () => assign(key, uid),
    })
  }

  return {
    async reconcile(key) {
      const { namespace, name } = parseQueueKey(key)
      const revision = caches.revisions.get(namespace, name)
      const fn = revision === undefined ? undefined : functionOf(revision)
      const lingering = endOrphans(deps, key, fn === undefined ? undefined : revision?.metadata.uid)
      if (revision === undefined || fn === undefined || revision.metadata.deletionTimestamp) return lingering ? { afterMs: 300 } : undefined
      const { uid, generation } = revision.metadata
      const siblings = caches.revisions.list(namespace).filter((other) => functionKeyOf(other) === functionKeyOf(revision))
      const demand = demandFor(revision, { fn, siblings, routes: caches.routes.list(namespace), replicas: platform.replicas() })
      const build = await buildOf(revision, demand)
      const before = findCondition(revision.status?.conditions, 'Started')
      const isBuilt = build.kind === 'artifact' || build.kind === 'built'
      const isWanted = isBuilt && (demand === 'traffic' || demand === 'starting') && !isFinalStart(before)
      const wanted = isWanted ? replicaCount(fn.spec.scale) : 0
      const references = referencesOf(revision)
      // A revision that is no longer wanted goes on until no gateway sends to it.
      const lingers = wanted === 0 && demand !== 'starting' && deps.routing.isInUse(uid)
      if (!lingers) ensure(revision, fn, wanted, references)
      if (wanted === 0) startingSince.delete(uid)
      else if (!startingSince.has(uid)) startingSince.set(uid, clock.monotonic())

      const own = platform.replicas().filter((replica) => replica.revisionUid === uid)
      const startingForMs = clock.monotonic() - (startingSince.get(uid) ?? clock.monotonic())
      const now = kubernetesTime(clock.now())
      const status = revisionStatus({
        before: revision.status,
        generation,
        now,
        wanted,
        replicas: own,
        missing: references.missing,
        build,
        startingForMs,
      })
      tell(deps, revision, status.conditions ?? [])
      await writeStatus(store, revision, status)
      return nextLook(build, lingers, status.conditions ?? [])
    },
  }

  function nextLook(build: BuildFacts, lingers: boolean, conditions: readonly Condition[]): Requeue {
    if (lingers) return { afterMs: 500 }
    if (build.kind === 'failed' && build.retryAtMs !== undefined) return { afterMs: Math.max(100, build.retryAtMs - clock.monotonic()) }
    return findCondition(conditions, 'Started')?.reason === 'Starting' ? { afterMs: startDeadlineMs + 1_500 } : undefined
  }
}

/** Ends replicas of whatever bore this name before, or of a revision that is no more, as soon as no gateway sends to them; true when some wait for that. */
function endOrphans(
  { platform, routing }: Pick<RevisionControllerDeps, 'platform' | 'routing'>,
  key: string,
  uid: string | undefined,
): boolean {
  const { namespace, name } = parseQueueKey(key)
  const isOrphan = ({ revision }: ObservedReplica) => revision?.namespace === namespace && revision.name === name && revision.uid !== uid
  const orphans = platform.replicas().filter(isOrphan)
  for (const { revision, revisionUid, configVersion } of orphans.filter((replica) => !routing.isInUse(replica.revisionUid))) {
    const none: WantedReplicas = {
      namespace,
      function: revision?.function ?? '',
      revision: name,
      revisionUid,
      count: 0,
      configVersion,
      assign: () => Promise.reject(new KaonError('not_found', `Revision '${name}' is gone.`)),
    }
    platform.ensure(none)
  }
  return orphans.some((replica) => routing.isInUse(replica.revisionUid))
}

/** An event for each condition that changes its status or its reason. */
function tell({ events }: Pick<ControllerDeps, 'events'>, revision: Stored<RevisionResource>, after: readonly Condition[]): void {
  for (const { type, status, reason, message } of after) {
    const before = findCondition(revision.status?.conditions, type)
    if (type === 'Ready' || (before?.status === status && before.reason === reason)) continue
    if (status === 'True')
      events.record(revision, { type: 'Normal', reason, message: type === 'Built' ? 'The build succeeded.' : 'The replicas are ready.' })
    else if (status === 'False') events.record(revision, { type: 'Warning', reason, message })
  }
}
