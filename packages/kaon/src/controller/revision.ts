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

/** What this life of the control plane knows of a revision besides what is stored. */
type Known = {
  uid: string
  /** Digest of its artifact, once that was seen on this machine. */
  artifact?: string
  /** When it began to be started, on the monotonic clock. */
  startingSinceMs?: number
}

/** Built once, then as many replicas as its function asks for while it is needed. */
export class RevisionController {
  readonly #deps: RevisionControllerDeps
  readonly #known = new Map<string, Known>()

  constructor(deps: RevisionControllerDeps) {
    this.#deps = deps
  }

  async reconcile(key: string): Promise<Requeue> {
    const { namespace, name } = parseQueueKey(key)
    const revision = this.#deps.caches.revisions.get(namespace, name)
    const fn = revision === undefined ? undefined : this.#functionOf(revision)
    const lingering = endOrphans(this.#deps, key, fn === undefined ? undefined : revision?.metadata.uid)
    if (revision === undefined || fn === undefined || revision.metadata.deletionTimestamp) {
      this.#forget(key)
      return lingering ? { afterMs: 300 } : undefined
    }
    return this.#move(revision, fn, this.#recall(key, revision.metadata.uid))
  }

  async #move(revision: Stored<RevisionResource>, fn: Stored<FunctionResource>, known: Known): Promise<Requeue> {
    const { caches, platform, clock, routing, store } = this.#deps
    const { namespace = '', uid, generation } = revision.metadata
    const siblings = caches.revisions.list(namespace).filter((other) => functionKeyOf(other) === functionKeyOf(revision))
    const demand = demandFor(revision, { fn, siblings, routes: caches.routes.list(namespace), replicas: platform.replicas() })
    const build = await this.#build(revision, demand, known)
    const isBuilt = build.kind === 'artifact' || build.kind === 'built'
    const isNeeded = demand === 'traffic' || demand === 'starting'
    const isRefused = isFinalStart(findCondition(revision.status?.conditions, 'Started'))
    const wanted = isBuilt && isNeeded && !isRefused ? replicaCount(fn.spec.scale) : 0
    const references = this.#referencesOf(revision)
    // A revision that is no longer wanted goes on until no gateway sends to it.
    const lingers = wanted === 0 && demand !== 'starting' && routing.isInUse(uid)
    if (!lingers) this.#ensure(revision, fn, wanted, references)
    known.startingSinceMs = wanted === 0 ? undefined : (known.startingSinceMs ?? clock.monotonic())

    const status = revisionStatus({
      before: revision.status,
      generation,
      now: kubernetesTime(clock.now()),
      wanted,
      replicas: platform.replicas().filter((replica) => replica.revisionUid === uid),
      missing: references.missing,
      build,
      startingForMs: clock.monotonic() - (known.startingSinceMs ?? clock.monotonic()),
    })
    tell(this.#deps, revision, status.conditions ?? [])
    await writeStatus(store, revision, status)
    return this.#nextLook(build, lingers, status.conditions ?? [])
  }

  /** The build as it stands, asked for when it is needed: nothing is built for a revision that nobody waits for. */
  async #build(revision: Stored<RevisionResource>, demand: Demand, known: Known): Promise<BuildFacts> {
    const { builds, builder } = this.#deps
    const { uid } = revision.metadata
    const { artifact, conditions } = revision.status ?? {}
    const built = findCondition(conditions, 'Built')
    if (demand === 'superseded' && built?.status !== 'True') {
      builds.cancel(uid)
      return { kind: 'superseded' }
    }
    if (artifact !== undefined && built?.status === 'True') {
      const isThere = demand === 'idle' || known.artifact === artifact || (await builder.find(artifact)) !== undefined
      if (isThere) {
        known.artifact = artifact
        builds.cancel(uid)
        return { kind: 'artifact' }
      }
    }
    if (built !== undefined && isFinalBuild(built) && !builds.has(uid)) return { kind: 'refused', before: built }
    const build = builds.request(revision)
    if (build.kind === 'built') known.artifact = build.result.manifest.digest
    return build
  }

  #ensure(revision: Stored<RevisionResource>, fn: Stored<FunctionResource>, count: number, references: ResolvedReferences): void {
    const { platform, salt } = this.#deps
    const { namespace = '', name, uid } = revision.metadata
    // With a value missing nothing new can start, but what runs goes on with the values it has.
    const running = platform.replicas().findLast((replica) => replica.revisionUid === uid)?.configVersion
    const isComplete = references.missing.length === 0
    if (!isComplete && running === undefined && count > 0) return
    const configVersion = isComplete ? configVersionOf(references, fn.spec.logging.level, salt) : (running ?? '')
    const assign = () => this.#assign(`${namespace}/${name}`, uid)
    platform.ensure({ namespace, function: fn.metadata.name, revision: name, revisionUid: uid, count, configVersion, assign })
  }

  async #assign(key: string, uid: string): Promise<ReplicaAssignment> {
    const { caches, builder, builds, enqueue, places } = this.#deps
    const { namespace, name } = parseQueueKey(key)
    const revision = caches.revisions.get(namespace, name)
    const fn = revision === undefined ? undefined : this.#functionOf(revision)
    if (revision === undefined || fn === undefined || revision.metadata.uid !== uid)
      throw new KaonError('not_found', `Revision '${name}' is being removed.`)
    const references = this.#referencesOf(revision)
    if (references.missing.length > 0) throw new KaonError('start_failed', references.missing.join(' '))
    const known = this.#recall(key, uid)
    const artifact = await builder.find(known.artifact ?? revision.status?.artifact ?? '')
    if (artifact === undefined) {
      // Removed from the disk behind our back: the next look builds it again.
      known.artifact = undefined
      builds.cancel(uid)
      enqueue(key)
      throw new KaonError('start_failed', `The artifact of revision '${name}' is gone; it is being built again.`)
    }
    const { artifactFolder } = artifact
    const logFolder = places.logFolderOf(namespace, fn.metadata.name)
    return assignmentOf({ fn, revision, references, artifactFolder, logFolder, gatewaySocket: places.gatewaySocket })
  }

  #nextLook(build: BuildFacts, lingers: boolean, conditions: readonly Condition[]): Requeue {
    if (lingers) return { afterMs: 500 }
    if (build.kind === 'failed' && build.retryAtMs !== undefined)
      return { afterMs: Math.max(100, build.retryAtMs - this.#deps.clock.monotonic()) }
    return findCondition(conditions, 'Started')?.reason === 'Starting' ? { afterMs: startDeadlineMs + 1_500 } : undefined
  }

  #functionOf(revision: Stored<RevisionResource>): Stored<FunctionResource> | undefined {
    const [namespace, name] = functionKeyOf(revision).split('/') as [string, string]
    const fn = this.#deps.caches.functions.get(namespace, name)
    return fn === undefined || fn.metadata.deletionTimestamp ? undefined : fn
  }

  #referencesOf(revision: Stored<RevisionResource>): ResolvedReferences {
    const { secrets, configMaps } = this.#deps.caches
    const namespace = revision.metadata.namespace ?? ''
    return resolveReferences(revision.spec, {
      secret: (name) => secrets.get(namespace, name),
      configMap: (name) => configMaps.get(namespace, name),
    })
  }

  #recall(key: string, uid: string): Known {
    const known = this.#known.get(key)
    if (known?.uid === uid) return known
    this.#forget(key)
    const fresh: Known = { uid }
    this.#known.set(key, fresh)
    return fresh
  }

  #forget(key: string): void {
    const known = this.#known.get(key)
    if (known === undefined) return
    this.#known.delete(key)
    this.#deps.builds.cancel(known.uid)
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
