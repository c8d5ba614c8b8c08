import { isDeepStrictEqual } from 'node:util'
import { type FieldError, KaonError } from '../base/errors.ts'
import { namespaceFinalizer } from '../controller/namespace.ts'
import type { Kind } from '../model/kinds.ts'
import type { Resource, Stored } from '../model/metadata.ts'
import { objectInvalid } from './object-errors.ts'

/** Without this one, most commands would have nowhere to go. */
const immortalNamespace = 'default'

/** What sets a kind apart from the generic verbs. Objects come in valid and go out as they are to be stored. */
type KindRules = {
  /** Refuses what users may not create. */
  mayCreate?(): void
  onCreate?(object: Resource): Resource
  onUpdate?(object: Resource, current: Stored): Resource
  /** Top-level fields that stay as they are. */
  frozen?(current: Stored): readonly string[]
  mayDelete?(name: string): void
  /** The object once its deletion was asked for. */
  onDelete?(object: Stored): Stored
}

const rules: Readonly<Record<string, KindRules>> = {
  Namespace: {
    onCreate: (object) => ({
      ...withContentsFinalizer(object),
      status: { phase: 'Active' },
    }),
    onUpdate: (object, current) => (current.metadata.deletionTimestamp === undefined ? withContentsFinalizer(object) : object),
    mayDelete(name) {
      if (name === immortalNamespace)
        throw new KaonError('forbidden', `namespaces "${name}" is forbidden: this namespace may not be deleted`)
    },
    onDelete: (object) => ({ ...object, status: { phase: 'Terminating' } }),
  },
  Secret: {
    onCreate: withStringDataAsData,
    onUpdate: withStringDataAsData,
    frozen: (current) => ['type', ...frozenContent(current)],
  },
  ConfigMap: { frozen: frozenContent },
  Revision: {
    mayCreate() {
      throw new KaonError('forbidden', 'Revisions are made by the platform.', { hint: 'Change the spec of the function to make one.' })
    },
    frozen: () => ['spec'],
  },
}

function rulesOf(kind: Kind): KindRules {
  return rules[kind.kind] ?? {}
}

export function checkMayCreate(kind: Kind): void {
  rulesOf(kind).mayCreate?.()
}

export function checkMayDelete(kind: Kind, name: string): void {
  rulesOf(kind).mayDelete?.(name)
}

export function asCreated(kind: Kind, object: Resource): Resource {
  return rulesOf(kind).onCreate?.(object) ?? object
}

/** Throws `validation_failed` when something that is frozen differs. */
export function asUpdated(kind: Kind, object: Resource, current: Stored): Resource {
  const next = rulesOf(kind).onUpdate?.(object, current) ?? object
  const frozen = rulesOf(kind).frozen?.(current) ?? []
  const changed = frozen.filter((field) => !isDeepStrictEqual(next[field], current[field]))
  if (changed.length === 0) return next
  const fields = changed.map((field): FieldError => ({ field, message: 'field is immutable', reason: 'immutable' }))
  throw objectInvalid(kind, current.metadata.name, fields)
}

export function asDeleted(kind: Kind, object: Stored): Stored {
  return rulesOf(kind).onDelete?.(object) ?? object
}

function frozenContent(current: Stored): readonly string[] {
  return current.immutable === true ? ['data', 'binaryData', 'immutable'] : []
}

function withContentsFinalizer<R extends Resource>(object: R): R {
  const finalizers = object.metadata.finalizers ?? []
  if (finalizers.includes(namespaceFinalizer)) return object
  return { ...object, metadata: { ...object.metadata, finalizers: [...finalizers, namespaceFinalizer] } }
}

/** `stringData` is a way to write; it is never kept. */
function withStringDataAsData(object: Resource): Resource {
  const { stringData, ...secret } = object as Resource & { data?: Record<string, string>; stringData?: Record<string, string> }
  if (stringData === undefined) return object
  const encoded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')] as const)
  return { ...secret, data: Object.fromEntries([...Object.entries(secret.data ?? {}), ...encoded]) }
}
