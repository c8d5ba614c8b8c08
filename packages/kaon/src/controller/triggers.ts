import type { FunctionResource } from '../model/function.ts'
import { kinds } from '../model/kinds.ts'
import { findCondition, type Resource, type Stored } from '../model/metadata.ts'
import { functionLabel, type RevisionResource } from '../model/revision.ts'
import type { ObservedReplica, Platform } from '../platforms/platform.ts'
import type { Caches } from './caches.ts'
import { canonicalJson } from './canonical-json.ts'
import { garbageKey } from './garbage.ts'
import type { Change, Informer } from './informer.ts'
import { queueKey, resourceOf } from './objects.ts'
import { refersTo } from './references.ts'
import { functionKeyOf } from './routing.ts'
import type { RoutingPublisher } from './routing-publisher.ts'

/** Has one key of a controller looked at. */
export type Triggers = Record<'namespace' | 'function' | 'revision' | 'route' | 'garbage', (key: string) => void>

export type WatchDeps = {
  caches: Caches
  platform: Pick<Platform, 'replicas' | 'onChange'>
  routing: Pick<RoutingPublisher, 'changed' | 'onTable' | 'onApplied'>
  triggers: Triggers
  /** Owner uid → garbage keys of what it owns; kept here. */
  dependents: Map<string, Set<string>>
}

/** Which change is whose business. Asking once too often costs a look; once too few would be a bug. */
export function watchForWork(deps: WatchDeps): void {
  const { caches, platform, routing, triggers } = deps
  const revisionsOf = (namespace: string, fn: string) => {
    for (const revision of caches.revisions.list(namespace))
      if (functionKeyOf(revision) === `${namespace}/${fn}`) triggers.revision(queueKey(revision))
  }
  const routesOf = (namespace: string) => {
    for (const route of caches.routes.list(namespace)) triggers.route(queueKey(route))
  }
  const referring = (namespace: string, what: 'secret' | 'config', name: string) => {
    for (const revision of caches.revisions.list(namespace)) if (refersTo(revision.spec, what, name)) triggers.revision(queueKey(revision))
  }

  caches.namespaces.onChange(({ key }) => triggers.namespace(`/${key.name}`))
  caches.functions.onChange(({ key, before, after }) => {
    triggers.function(`${key.namespace}/${key.name}`)
    if (before === undefined || after === undefined) routesOf(key.namespace)
    if (demandOf(before) !== demandOf(after)) revisionsOf(key.namespace, key.name)
    routing.changed()
  })
  caches.revisions.onChange(({ key, before, after }) => {
    triggers.revision(`${key.namespace}/${key.name}`)
    const fn = (after ?? before)?.metadata.labels?.[functionLabel]
    if (fn !== undefined) {
      triggers.function(`${key.namespace}/${fn}`)
      // Which is the latest, and which the latest that started, decides what its sisters do.
      if (before === undefined || after === undefined || isStarted(before) !== isStarted(after)) revisionsOf(key.namespace, fn)
    }
    if (before === undefined || after === undefined) routesOf(key.namespace)
    routing.changed()
  })
  caches.routes.onChange(({ key }) => {
    triggers.route(`${key.namespace}/${key.name}`)
    for (const revision of caches.revisions.list(key.namespace)) triggers.revision(queueKey(revision))
    routing.changed()
  })
  caches.secrets.onChange(({ key }) => {
    referring(key.namespace, 'secret', key.name)
    routesOf(key.namespace)
    routing.changed()
  })
  caches.configMaps.onChange(({ key }) => referring(key.namespace, 'config', key.name))
  for (const kind of kinds) {
    const informer = (Object.values(caches) as Informer[]).find((i) => i.resource === resourceOf(kind.kind))
    informer?.onChange((change) => watchOwnership(deps, kind.kind, change))
  }
  watchReplicas(deps, platform)
  routing.onTable(() => {
    for (const fn of caches.functions.list()) triggers.function(queueKey(fn))
  })
  routing.onApplied(() => {
    for (const fn of caches.functions.list()) triggers.function(queueKey(fn))
    for (const { revision } of platform.replicas()) if (revision !== undefined) triggers.revision(`${revision.namespace}/${revision.name}`)
  })
}

/** What of a function its revisions look at. */
function demandOf(fn: Stored<FunctionResource> | undefined): string {
  return canonicalJson([fn?.metadata.uid, fn?.metadata.generation, fn?.metadata.deletionTimestamp, fn?.status?.traffic])
}

function isStarted(revision: RevisionResource): boolean {
  return findCondition(revision.status?.conditions, 'Started')?.status === 'True'
}

/** The platform says only that something changed; what did is found by comparing. */
function watchReplicas({ triggers, routing }: WatchDeps, platform: WatchDeps['platform']): void {
  let known = new Map<string, { state: string; replica: ObservedReplica }>()
  const look = () => {
    const now = new Map(platform.replicas().map((replica) => [replica.id, { state: JSON.stringify(replica), replica }]))
    const changed = [...now].filter(([id, { state }]) => known.get(id)?.state !== state).map(([, { replica }]) => replica)
    const gone = [...known].filter(([id]) => !now.has(id)).map(([, { replica }]) => replica)
    known = now
    for (const { revision } of [...changed, ...gone]) {
      if (revision === undefined) continue
      triggers.revision(`${revision.namespace}/${revision.name}`)
      triggers.function(`${revision.namespace}/${revision.function}`)
    }
    routing.changed()
  }
  platform.onChange(look)
  look()
}

function watchOwnership({ triggers, dependents }: WatchDeps, kind: string, { key, before, after }: Change<Resource>): void {
  const own = garbageKey(kind, key.namespace, key.name)
  for (const { uid } of before?.metadata.ownerReferences ?? []) dependents.get(uid)?.delete(own)
  for (const { uid } of after?.metadata.ownerReferences ?? []) {
    const owned = dependents.get(uid) ?? new Set<string>()
    dependents.set(uid, owned.add(own))
  }
  if (after === undefined && before !== undefined) {
    for (const dependent of dependents.get(before.metadata.uid) ?? []) triggers.garbage(dependent)
    dependents.delete(before.metadata.uid)
    for (const { uid } of before.metadata.ownerReferences ?? []) if (dependents.get(uid)?.size === 0) dependents.delete(uid)
  }
  const isNew = before === undefined && (after?.metadata.ownerReferences?.length ?? 0) > 0
  if (isNew || after?.metadata.deletionTimestamp) triggers.garbage(own)
}
