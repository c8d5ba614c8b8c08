import { findKind, type KindName } from '../model/kinds.ts'
import type { ControllerDeps } from './controllers.ts'
import { removeFinalizer, requestDelete, resourceOf } from './objects.ts'
import type { Requeue } from './work-queue.ts'

/** What Kubernetes calls the two ways of deleting an owner that are not the default one. */
const foreground = 'foregroundDeletion'
const orphan = 'orphan'

export type GarbageDeps = Pick<ControllerDeps, 'store' | 'clock'>

/** Key of one object among all kinds: `Kind/namespace/name`. */
export function garbageKey(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`
}

export function parseGarbageKey(key: string): { kind: string; namespace: string; name: string } {
  const [kind, namespace, name] = key.split('/') as [string, string, string]
  return { kind, namespace, name }
}

/** Removes objects none of whose owners is left, and finishes the deletion of owners that wait for their dependents or leave them behind. */
export function createGarbageCollector(
  { store, clock }: GarbageDeps,
  dependentsOf: (uid: string) => { kind: string; namespace: string; name: string }[],
) {
  const read = (kind: string, namespace: string, name: string) => store.get({ resource: resourceOf(kind as KindName), namespace, name })

  /** Looks in the store itself: a copy that lags must not cost an object its life. */
  async function ownersLeft(namespace: string, owners: readonly { kind: string; name: string; uid: string }[]): Promise<boolean> {
    for (const { kind, name, uid } of owners) {
      const known = findKind(kind)
      if (known === undefined) return true
      const owner = await read(known.kind, known.namespaced ? namespace : '', name)
      if (owner?.metadata.uid === uid) return true
    }
    return false
  }

  async function releaseOwner(kind: string, namespace: string, name: string): Promise<Requeue> {
    const owner = await read(kind, namespace, name)
    if (!owner?.metadata.deletionTimestamp) return undefined
    const finalizer = owner.metadata.finalizers?.find((f) => f === foreground || f === orphan)
    if (finalizer === undefined) return undefined
    let left = 0
    for (const dependent of dependentsOf(owner.metadata.uid)) {
      const object = await read(dependent.kind, dependent.namespace, dependent.name)
      const owners = object?.metadata.ownerReferences ?? []
      if (object === undefined || !owners.some(({ uid }) => uid === owner.metadata.uid)) continue
      left++
      if (finalizer === foreground) await requestDelete(store, clock, object)
      else {
        const ownerReferences = owners.filter(({ uid }) => uid !== owner.metadata.uid)
        const key = { resource: resourceOf(dependent.kind as KindName), namespace: dependent.namespace, name: dependent.name }
        const next = { ...object, metadata: { ...object.metadata, ownerReferences } }
        await store.write({ kind: 'update', key, object: next, expected: object.metadata.resourceVersion })
      }
    }
    if (left > 0) return { afterMs: 100 }
    await removeFinalizer(store, owner, finalizer)
    return undefined
  }

  return {
    async reconcile(key: string): Promise<Requeue> {
      const { kind, namespace, name } = parseGarbageKey(key)
      const object = await read(kind, namespace, name)
      if (object === undefined) return undefined
      if (object.metadata.deletionTimestamp) return releaseOwner(kind, namespace, name)
      const owners = object.metadata.ownerReferences ?? []
      if (owners.length > 0 && !(await ownersLeft(namespace, owners))) await requestDelete(store, clock, object)
      return undefined
    },
  }
}
