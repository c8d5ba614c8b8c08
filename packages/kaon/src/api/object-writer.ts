import { isKaonError, KaonError } from '../base/errors.ts'
import type { System } from '../base/system.ts'
import { kubernetesTime } from '../base/time.ts'
import { type Kind, kindNamed } from '../model/kinds.ts'
import type { Stored } from '../model/metadata.ts'
import { prepare } from '../model/validate.ts'
import type { ObjectKey, Store } from '../stores/store.ts'
import { asCreated, asDeleted, checkMayCreate, checkMayDelete } from './kind-rules.ts'
import { type Candidate, checkSize, nextObject, readCandidate, withoutServerFields } from './next-object.ts'
import { badRequest, conflictOn, objectChanged, objectExists, objectNotFound, resourceName } from './object-errors.ts'

/** Attempts against concurrent writers before the client is told of the conflict. */
const maxAttempts = 5
const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789'
const suffixLength = 5

export type ObjectAddress = { kind: Kind; namespace: string | undefined; name: string }
export type DeleteOptions = {
  dryRun: boolean
  uid?: string
  resourceVersion?: string
  /** Who sees to the objects that this one owns: finalizers of these names ask the garbage collector to. */
  propagation?: 'Background' | 'Foreground' | 'Orphan'
}
export type ObjectWriter = ReturnType<typeof createObjectWriter>

export function keyOf({ kind, namespace, name }: ObjectAddress): ObjectKey {
  return { resource: resourceName(kind), namespace: namespace ?? '', name }
}

/** Every write that users ask for: read, decide purely, write by compare-and-set, again when somebody else was faster. */
export function createObjectWriter(deps: { store: Store } & Pick<System, 'clock' | 'random'>) {
  return {
    create: (kind: Kind, namespace: string | undefined, input: unknown, dryRun: boolean) =>
      create(deps, { kind, namespace, input, dryRun }),
    change: (address: ObjectAddress, change: Change) => withRetries(address, () => changeOnce(deps.store, address, change)),
    remove: (address: ObjectAddress, options: DeleteOptions) => withRetries(address, () => removeOnce(deps, address, options)),
  }
}

type Deps = { store: Store } & Pick<System, 'clock' | 'random'>
export type Change = { part: 'object' | 'status'; dryRun: boolean; apply(current: Stored): unknown }

async function create(
  deps: Deps,
  { kind, namespace, input, dryRun }: { kind: Kind; namespace: string | undefined; input: unknown; dryRun: boolean },
): Promise<Stored> {
  checkMayCreate(kind)
  const candidate = readCandidate(kind, input, namespace)
  if ((candidate.metadata.resourceVersion ?? '') !== '') throw badRequest('resourceVersion should not be set on objects to be created')
  if (namespace !== undefined) await checkNamespace(deps.store, namespace)
  const isNameGenerated = (candidate.metadata.name ?? '') === '' && typeof candidate.metadata.generateName === 'string'
  for (let attempt = 1; ; attempt++) {
    const object = newObject(deps, kind, isNameGenerated ? withGeneratedName(deps, kind, candidate) : candidate)
    const key = keyOf({ kind, namespace, name: object.metadata.name })
    try {
      if (!dryRun) return await deps.store.write({ kind: 'create', key, object })
      if ((await deps.store.get(key)) === undefined) return object
      throw objectExists(kind, key.name)
    } catch (error) {
      if (!isKaonError(error) || error.code !== 'already_exists') throw error
      if (!isNameGenerated || attempt === maxAttempts) throw objectExists(kind, key.name)
    }
  }
}

function newObject({ clock, random }: Deps, kind: Kind, candidate: Candidate): Stored {
  const { status, ...rest } = candidate
  const given = { ...rest, ...(kind.statusSubresource || status === undefined ? {} : { status }) }
  const valid = asCreated(kind, prepare(kind, { ...given, metadata: withoutServerFields(candidate.metadata) }))
  const metadata = { ...valid.metadata, uid: random.uuid(), generation: 1, creationTimestamp: kubernetesTime(clock.now()) }
  checkSize(valid)
  return { ...valid, metadata } as Stored
}

function withGeneratedName({ random }: Deps, kind: Kind, candidate: Candidate): Candidate {
  const prefix = String(candidate.metadata.generateName).slice(0, (kind.nameMaxLength ?? 63) - suffixLength)
  const suffix = Array.from({ length: suffixLength }, () => suffixLetters[Math.floor(random.fraction() * suffixLetters.length)]).join('')
  return { ...candidate, metadata: { ...candidate.metadata, name: `${prefix}${suffix}` } }
}

async function checkNamespace(store: Store, name: string): Promise<void> {
  const kind = kindNamed('Namespace')
  const namespace = await store.get(keyOf({ kind, namespace: undefined, name }))
  if (namespace === undefined) throw objectNotFound(kind, name)
  if (namespace.metadata.deletionTimestamp === undefined) return
  throw new KaonError('forbidden', `unable to create new content in namespace ${name} because it is being terminated`, {
    about: { kind: kind.plural, name },
  })
}

async function withRetries<T>({ kind, name }: ObjectAddress, attempt: () => Promise<T | 'changed'>): Promise<T> {
  for (let count = 0; count < maxAttempts; count++) {
    const result = await attempt()
    if (result !== 'changed') return result
  }
  throw objectChanged(kind, name)
}

/** The object as it then stands; for the last finalizer of a deleted one, as it last stood. */
async function changeOnce(store: Store, address: ObjectAddress, change: Change): Promise<Stored | 'changed'> {
  const current = await existing(store, address)
  const candidate = readCandidate(address.kind, change.apply(current), address.namespace)
  const next = nextObject(address.kind, current, candidate, change.part)
  if (next === current || change.dryRun) return next
  const { deletionTimestamp, finalizers } = next.metadata
  if (deletionTimestamp !== undefined && (finalizers ?? []).length === 0) return removeStored(store, address, current)
  return unlessChanged(store.write({ kind: 'update', key: keyOf(address), object: next, expected: current.metadata.resourceVersion }))
}

type Removal = { kind: 'gone' | 'going'; object: Stored }

async function removeOnce({ store, clock }: Deps, address: ObjectAddress, options: DeleteOptions): Promise<Removal | 'changed'> {
  checkMayDelete(address.kind, address.name)
  const current = await existing(store, address)
  checkPreconditions(address, current, options)
  const finalizers = finalizersFor(current, options.propagation)
  if (finalizers.length === 0) {
    const object = options.dryRun ? current : await removeStored(store, address, current)
    return object === 'changed' ? object : { kind: 'gone', object }
  }
  if (current.metadata.deletionTimestamp !== undefined) return { kind: 'going', object: current }
  const metadata = { ...current.metadata, finalizers, deletionTimestamp: kubernetesTime(clock.now()), deletionGracePeriodSeconds: 0 }
  const next = asDeleted(address.kind, { ...current, metadata })
  if (options.dryRun) return { kind: 'going', object: next }
  const expected = current.metadata.resourceVersion
  const object = await unlessChanged(store.write({ kind: 'update', key: keyOf(address), object: next, expected }))
  return object === 'changed' ? object : { kind: 'going', object }
}

function finalizersFor(object: Stored, propagation: DeleteOptions['propagation']): string[] {
  const ofPolicy = { Foreground: 'foregroundDeletion', Orphan: 'orphan' } as const
  const others = (object.metadata.finalizers ?? []).filter((name) => name !== 'foregroundDeletion' && name !== 'orphan')
  if (propagation === undefined) return object.metadata.finalizers ?? []
  return propagation === 'Background' ? others : [...others, ofPolicy[propagation]]
}

function checkPreconditions({ kind, name }: ObjectAddress, { metadata }: Stored, { uid, resourceVersion }: DeleteOptions): void {
  if (uid !== undefined && uid !== metadata.uid)
    throw conflictOn(kind, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`)
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) throw objectChanged(kind, name)
}

async function existing(store: Store, address: ObjectAddress): Promise<Stored> {
  const object = await store.get(keyOf(address))
  if (object === undefined) throw objectNotFound(address.kind, address.name)
  return object
}

function removeStored(store: Store, address: ObjectAddress, current: Stored): Promise<Stored | 'changed'> {
  return unlessChanged(store.write({ kind: 'delete', key: keyOf(address), expected: current.metadata.resourceVersion }))
}

/** A lost race, and an object that went away under us, are looked at again. */
async function unlessChanged(write: Promise<Stored>): Promise<Stored | 'changed'> {
  try {
    return await write
  } catch (error) {
    if (isKaonError(error) && (error.code === 'conflict' || error.code === 'not_found')) return 'changed'
    throw error
  }
}
