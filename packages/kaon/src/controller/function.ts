import { createHash } from 'node:crypto'
import { kubernetesTime } from '../base/time.ts'
import { type FunctionResource, revisionTemplate } from '../model/function.ts'
import { apiVersionOf, kindNamed } from '../model/kinds.ts'
import { findCondition, type Stored } from '../model/metadata.ts'
import { functionLabel, type RevisionResource, revisionName, revisionNumber, specHashAnnotation } from '../model/revision.ts'
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
export function createFunctionController(deps: FunctionControllerDeps): { reconcile(key: string): Promise<Requeue> } {
  const { caches, store, platform, clock, events, routing } = deps

  function revisionsOf(fn: Stored<FunctionResource>): Stored<RevisionResource>[] {
    const key = `${fn.metadata.namespace}/${fn.metadata.name}`
    return caches.revisions.list(fn.metadata.namespace).filter((revision) => functionKeyOf(revision) === key)
  }

  async function createRevision(fn: Stored<FunctionResource>, latest: Stored<RevisionResource> | undefined, hash: string): Promise<void> {
    // A number is never used again, though its revision may be gone.
    const number = 1 + Math.max(revisionNumber(latest?.metadata.name ?? ''), revisionNumber(fn.status?.latestCreatedRevision ?? ''))
    const revision = withIdentity(newRevision(fn, revisionName(fn.metadata.name, number), hash), deps)
    const { namespace = '', name = '' } = revision.metadata
    const stored = await store.write({ kind: 'create', key: { resource: resourceOf('Revision'), namespace, name }, object: revision })
    events.record(fn, { type: 'Normal', reason: 'RevisionCreated', message: `Made revision '${stored.metadata.name}'.` })
  }

  /** Step by step, each again if it was cut off: revisions, replicas, what is on disk, the function itself. */
  async function remove(fn: Stored<FunctionResource>): Promise<Requeue> {
    if (!fn.metadata.finalizers?.includes(functionFinalizer)) return undefined
    const { namespace = '', name } = fn.metadata
    const revisions = revisionsOf(fn)
    const uids = new Set(revisions.map(({ metadata }) => metadata.uid))
    // The gateways first stop sending; then the replicas finish what they have.
    if ([...uids].some((uid) => routing.isInUse(uid))) return { afterMs: 500 }
    for (const revision of revisions) await requestDelete(store, clock, revision)
    const runs = platform
      .replicas()
      .some(({ revision: r, phase }) => r?.namespace === namespace && r.function === name && phase !== 'failed')
    if (revisions.length > 0 || runs) return { afterMs: 100 }
    await deps.buildLogs.remove(namespace, name)
    await platform.forget(namespace, name)
    await removeFinalizer(store, fn, functionFinalizer)
    return undefined
  }

  return {
    async reconcile(key) {
      const { namespace, name } = parseQueueKey(key)
      const fn = caches.functions.get(namespace, name)
      if (fn === undefined) return undefined
      if (fn.metadata.deletionTimestamp) return remove(fn)
      if (!fn.metadata.finalizers?.includes(functionFinalizer)) {
        await addFinalizer(store, fn, functionFinalizer)
        return undefined
      }
      const revisions = revisionsOf(fn)
      const latest = newest(revisions)
      const hash = specHash(fn)
      if (latest?.metadata.annotations?.[specHashAnnotation] !== hash) {
        await createRevision(fn, latest, hash)
        return undefined
      }
      const replicas = platform.replicas()
      const traffic = functionTraffic(fn, revisions, replicas)
      const [isReachable, hasGateway] = [routing.isReachable(fn.metadata.uid, routedTraffic(traffic.shares)), routing.hasGateway]
      const url = deps.urlOf(namespace, name)
      const status = functionStatus({ fn, revisions, replicas, traffic, isReachable, hasGateway, url, now: kubernetesTime(clock.now()) })
      const ready = findCondition(status.conditions, 'Ready')
      if (ready?.status === 'True' && findCondition(fn.status?.conditions, 'Ready')?.status !== 'True')
        events.record(fn, { type: 'Normal', reason: 'Ready', message: `Serving at ${url}.` })
      await writeStatus(store, fn, status)
      const inputs = { fn, siblings: revisions, routes: caches.routes.list(namespace), replicas }
      for (const revision of collectable(inputs, keptRevisions)) {
        await deps.buildLogs.removeRevision(namespace, revision.metadata.name)
        await requestDelete(store, clock, revision)
      }
      return undefined
    },
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
