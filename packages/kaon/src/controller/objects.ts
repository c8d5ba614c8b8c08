import { isKaonError } from '../base/errors.ts'
import type { Clock, Random } from '../base/system.ts'
import { kubernetesTime } from '../base/time.ts'
import { type KindName, kindNamed } from '../model/kinds.ts'
import type { Condition, Resource, Stored } from '../model/metadata.ts'
import type { ObjectKey, Store } from '../stores/store.ts'
import { canonicalJson } from './canonical-json.ts'

/** Name of a kind in the store, as in `functions.kaon.dev`. */
export function resourceOf(kind: KindName): string {
  const { plural, group } = kindNamed(kind)
  return group === '' ? plural : `${plural}.${group}`
}

export function keyOf(object: Stored): ObjectKey {
  return { resource: resourceOf(object.kind as KindName), namespace: object.metadata.namespace ?? '', name: object.metadata.name }
}

/** `namespace/name`: a key of the work queues. */
export function queueKey(object: Pick<Stored, 'metadata'>): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`
}

export function parseQueueKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** `object` with the metadata that whoever creates an object sets. */
export function withIdentity<R extends Resource>(object: R, deps: { clock: Pick<Clock, 'now'>; random: Pick<Random, 'uuid'> }): R {
  const made = { uid: deps.random.uuid(), generation: 1, creationTimestamp: kubernetesTime(deps.clock.now()) }
  return { ...object, metadata: { ...object.metadata, ...made } }
}

/** Writes the status if it is not what stands there. Fails with `conflict` when the object was changed meanwhile. */
export async function writeStatus(store: Pick<Store, 'write'>, object: Stored, status: unknown): Promise<void> {
  if (canonicalJson(object.status) === canonicalJson(status)) return
  const next = { ...object, status } as Resource
  await store.write({ kind: 'update', key: keyOf(object), object: next, expected: object.metadata.resourceVersion })
}

/** Asks for deletion as the API does: gone at once, or marked when something must be cleaned up first. Nothing to do when it is gone already. */
export async function requestDelete(store: Pick<Store, 'write'>, clock: Pick<Clock, 'now'>, object: Stored): Promise<void> {
  const { finalizers, deletionTimestamp, resourceVersion } = object.metadata
  if (deletionTimestamp) return
  const key = keyOf(object)
  try {
    if (finalizers === undefined || finalizers.length === 0) await store.write({ kind: 'delete', key, expected: resourceVersion })
    else {
      const metadata = { ...object.metadata, deletionTimestamp: kubernetesTime(clock.now()), deletionGracePeriodSeconds: 0 }
      await store.write({ kind: 'update', key, object: { ...object, metadata }, expected: resourceVersion })
    }
  } catch (error) {
    if (!isKaonError(error) || error.code !== 'not_found') throw error
  }
}

export async function addFinalizer(store: Pick<Store, 'write'>, object: Stored, finalizer: string): Promise<void> {
  const metadata = { ...object.metadata, finalizers: [...(object.metadata.finalizers ?? []), finalizer] }
  await store.write({ kind: 'update', key: keyOf(object), object: { ...object, metadata }, expected: object.metadata.resourceVersion })
}

/** Takes the finalizer away; the last one gone from an object that is being deleted takes the object with it. */
export async function removeFinalizer(store: Pick<Store, 'write'>, object: Stored, finalizer: string): Promise<void> {
  const finalizers = (object.metadata.finalizers ?? []).filter((f) => f !== finalizer)
  const key = keyOf(object)
  const expected = object.metadata.resourceVersion
  if (finalizers.length === 0 && object.metadata.deletionTimestamp) await store.write({ kind: 'delete', key, expected })
  else await store.write({ kind: 'update', key, object: { ...object, metadata: { ...object.metadata, finalizers } }, expected })
}

/** A condition without its time, which `setCondition` adds. */
export type NextCondition = Omit<Condition, 'lastTransitionTime'>
