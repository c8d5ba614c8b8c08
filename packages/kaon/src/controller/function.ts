import { createHash } from 'node:crypto'
import { kubernetesTime } from '../base/time.ts'
import { type FunctionResource, revisionTemplate } from '../model/function.ts'
import { apiVersionOf, kindNamed } from '../model/kinds.ts'
import { findCondition, type Stored } from '../model/metadata.ts'
import { functionLabel, type RevisionResource, revisionName, revisionNumber, specHashAnnotation } from '../model/revision.ts'
import type { ObservedReplica } from '../platforms/platform.ts'
import { canonicalJson } from './canonical-json.ts'
import type { ControllerDeps } from './controllers.ts'
import { collectable } from './demand.ts'
import { functionStatus, newest } from './function-status.ts'
import { addFinalizer, parseQueueKey, removeFinalizer, requestDelete, resourceOf, withIdentity, writeStatus } from './objects.ts'
import { functionKeyOf, functionTraffic, routedTraffic } from './routing.ts'
import type { RoutingPublisher } from './routing-publisher.ts'
import type { Requeue } from './work-queue.ts'

export const functionFinalizer = 'kaon.dev/function'
const keptRevisions = 10

export type FunctionControllerDeps = ControllerDeps & {
  routing: Pick<RoutingPublisher, 'isReachable' | 'isInUse' | 'hasGateway' | 'changed'>
}

/** A revision for each change of what makes one, the function's status, and nothing left of it when it goes. */
export class FunctionController {
  readonly #deps: FunctionControllerDeps

  constructor(deps: FunctionControllerDeps) {
    this.#deps = deps
  }

  async reconcile(key: string): Promise<Requeue> {
    const { namespace, name } = parseQueueKey(key)
    const fn = this.#deps.caches.functions.get(namespace, name)
    if (fn === undefined) return undefined
    if (fn.metadata.deletionTimestamp) return this.#remove(fn)
    if (!fn.metadata.finalizers?.includes(functionFinalizer)) {
      await addFinalizer(this.#deps.store, fn, functionFinalizer)
      return undefined
    }
    const revisions = this.#revisionsOf(fn)
    const latest = newest(revisions)
    const hash = specHash(fn)
    if (latest?.metadata.annotations?.[specHashAnnotation] !== hash) await this.#createRevision(fn, latest, hash)
    else {
      await this.#writeStatus(fn, revisions)
      await this.#collect(fn, revisions)
    }
    return undefined
  }

  async #createRevision(fn: Stored<FunctionResource>, latest: Stored<RevisionResource> | undefined, hash: string): Promise<void> {
    const { store, events } = this.#deps
    // A number is never used again, though its revision may be gone.
    const number = 1 + Math.max(revisionNumber(latest?.metadata.name ?? ''), revisionNumber(fn.status?.latestCreatedRevision ?? ''))
    const revision = withIdentity(newRevision(fn, revisionName(fn.metadata.name, number), hash), this.#deps)
    const { namespace = '', name = '' } = revision.metadata
    await store.write({ kind: 'create', key: { resource: resourceOf('Revision'), namespace, name }, object: revision })
    events.record(fn, { type: 'Normal', reason: 'RevisionCreated', message: `Made revision '${name}'.` })
  }

  async #writeStatus(fn: Stored<FunctionResource>, revisions: readonly Stored<RevisionResource>[]): Promise<void> {
    const { platform, routing, clock, store, events, urlOf } = this.#deps
    const replicas = platform.replicas()
    const traffic = functionTraffic(fn, revisions, replicas)
    const isReachable = routing.isReachable(fn.metadata.uid, routedTraffic(traffic.shares))
    const url = urlOf(fn.metadata.namespace ?? '', fn.metadata.name)
    const now = kubernetesTime(clock.now())
    const status = functionStatus({ fn, revisions, replicas, traffic, isReachable, hasGateway: routing.hasGateway, url, now })
    const wasReady = findCondition(fn.status?.conditions, 'Ready')?.status === 'True'
    if (!wasReady && findCondition(status.conditions, 'Ready')?.status === 'True')
      events.record(fn, { type: 'Normal', reason: 'Ready', message: `Serving at ${url}.` })
    await writeStatus(store, fn, status)
  }

  async #collect(fn: Stored<FunctionResource>, siblings: readonly Stored<RevisionResource>[]): Promise<void> {
    const { caches, platform, buildLogs, store, clock } = this.#deps
    const { namespace = '' } = fn.metadata
    const inputs = { fn, siblings, routes: caches.routes.list(namespace), replicas: platform.replicas() }
    for (const revision of collectable(inputs, keptRevisions)) {
      await buildLogs.removeRevision(namespace, revision.metadata.name)
      await requestDelete(store, clock, revision)
    }
  }

  /** Step by step, each again if it was cut off: revisions, replicas, what is on disk, the function itself. */
  async #remove(fn: Stored<FunctionResource>): Promise<Requeue> {
    const { platform, routing, buildLogs, store, clock } = this.#deps
    if (!fn.metadata.finalizers?.includes(functionFinalizer)) return undefined
    const { namespace = '', name } = fn.metadata
    const revisions = this.#revisionsOf(fn)
    // The gateways first stop sending; then the replicas finish what they have.
    if (revisions.some(({ metadata }) => routing.isInUse(metadata.uid))) return { afterMs: 500 }
    for (const revision of revisions) await requestDelete(store, clock, revision)
    const isOwn = ({ revision, phase }: ObservedReplica) =>
      revision?.namespace === namespace && revision.function === name && phase !== 'failed'
    if (revisions.length > 0 || platform.replicas().some(isOwn)) return { afterMs: 100 }
    await buildLogs.remove(namespace, name)
    await platform.forget(namespace, name)
    await removeFinalizer(store, fn, functionFinalizer)
    return undefined
  }

  #revisionsOf({ metadata }: Stored<FunctionResource>): Stored<RevisionResource>[] {
    const key = `${metadata.namespace}/${metadata.name}`
    return this.#deps.caches.revisions.list(metadata.namespace).filter((revision) => functionKeyOf(revision) === key)
  }
}

/** Equal for equal templates, whatever the order of their fields. */
export function specHash(fn: Pick<FunctionResource, 'spec'>): string {
  return createHash('sha256')
    .update(canonicalJson(revisionTemplate(fn.spec)))
    .digest('hex')
    .slice(0, 16)
}

function newRevision(fn: Stored<FunctionResource>, name: string, hash: string): RevisionResource {
  const { namespace = '', uid } = fn.metadata
  const apiVersion = apiVersionOf(kindNamed('Revision'))
  return {
    apiVersion,
    kind: 'Revision',
    metadata: {
      name,
      namespace,
      labels: { [functionLabel]: fn.metadata.name },
      annotations: { [specHashAnnotation]: hash },
      ownerReferences: [
        { apiVersion: fn.apiVersion, kind: 'Function', name: fn.metadata.name, uid, controller: true, blockOwnerDeletion: true },
      ],
    },
    spec: structuredClone(revisionTemplate(fn.spec)),
  }
}
