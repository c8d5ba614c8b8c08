import { isDeepStrictEqual } from 'node:util'
import type { FieldError } from '../base/errors.ts'
import { apiVersionOf, type Kind } from '../model/kinds.ts'
import type { ObjectMeta, Resource, Stored } from '../model/metadata.ts'
import { isJsonObject, type JsonObject } from '../model/schema-node.ts'
import { prepare } from '../model/validate.ts'
import { maxResourceBytes, tooLarge } from './body.ts'
import { asUpdated } from './kind-rules.ts'
import { badRequest, conflictOn, objectChanged, objectInvalid } from './object-errors.ts'

/** Metadata that only the server writes. */
const serverFields = [
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'selfLink',
] as const

export type Candidate = Resource & { metadata: JsonObject }

/** Checks that the body is an object of this kind and fills in what the path says already. Throws `invalid_request`. */
export function readCandidate(kind: Kind, input: unknown, namespace: string | undefined): Candidate {
  if (!isJsonObject(input)) throw badRequest(`The body must be a ${kind.kind} object.`)
  const apiVersion = input.apiVersion ?? apiVersionOf(kind)
  if (apiVersion !== apiVersionOf(kind) || (input.kind ?? kind.kind) !== kind.kind)
    throw badRequest(
      `The body must be a ${kind.kind} of '${apiVersionOf(kind)}', as the path says, not a ${named(input.kind)} of ${named(apiVersion)}.`,
    )
  const metadata = input.metadata ?? {}
  if (!isJsonObject(metadata)) throw badRequest('metadata must be an object.')
  const given = metadata.namespace ?? ''
  if (namespace !== undefined && given !== '' && given !== namespace)
    throw badRequest(`The namespace of the object (${named(given)}) is not the one of the path ('${namespace}').`)
  const { namespace: _given, ...others } = metadata
  return {
    ...input,
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: namespace === undefined ? metadata : { ...others, namespace },
  }
}

function named(value: unknown): string {
  return typeof value === 'string' ? `'${value.slice(0, 100)}'` : 'nothing'
}

/** The user's part of the metadata. */
export function withoutServerFields(metadata: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(metadata).filter(([name]) => !(serverFields as readonly string[]).includes(name)))
}

/**
 * What is stored when a client wants `candidate` in place of `current`; `current` itself when that comes to the same. Pure.
 * Throws `conflict` when the candidate was made from another version, `validation_failed` for what is wrong or cannot change.
 */
export function nextObject(kind: Kind, current: Stored, candidate: Candidate, part: 'object' | 'status'): Stored {
  checkIdentity(kind, current, candidate)
  const wanted = part === 'status' ? { ...current, status: candidate.status } : withServerParts(kind, current, candidate)
  const valid = asUpdated(kind, prepare(kind, wanted), current) as Stored
  if (current.metadata.deletionTimestamp !== undefined) checkFinalizers(kind, current, valid)
  if (isDeepStrictEqual(valid, current)) return current
  checkSize(valid)
  if (isDeepStrictEqual(content(valid), content(current))) return valid
  return { ...valid, metadata: { ...valid.metadata, generation: current.metadata.generation + 1 } }
}

/** Throws `body_too_large` for what many small patches have made too large. */
export function checkSize(object: Resource): void {
  if (JSON.stringify(object).length > maxResourceBytes) throw tooLarge(maxResourceBytes)
}

function checkIdentity(kind: Kind, current: Stored, { metadata }: Candidate): void {
  const { name, uid, resourceVersion } = current.metadata
  if (metadata.name !== undefined && metadata.name !== name)
    throw badRequest(`The name of the object (${named(metadata.name)}) is not the one of the path ('${name}').`)
  if (metadata.uid !== undefined && metadata.uid !== '' && metadata.uid !== uid)
    throw conflictOn(kind, name, `Precondition failed: UID in precondition: ${String(metadata.uid)}, UID in object meta: ${uid}`)
  const version = metadata.resourceVersion ?? ''
  if (version !== '' && version !== resourceVersion) throw objectChanged(kind, name)
}

function withServerParts(kind: Kind, current: Stored, candidate: Candidate): Resource {
  const kept: JsonObject = {}
  for (const field of ['name', 'generateName', ...serverFields] as const) {
    const value = (current.metadata as ObjectMeta)[field]
    if (value !== undefined) kept[field] = value
  }
  const { status, ...rest } = candidate
  const nextStatus = kind.statusSubresource ? current.status : status
  const metadata = { ...withoutServerFields(candidate.metadata), ...kept }
  return { ...rest, metadata, ...(nextStatus === undefined ? {} : { status: nextStatus }) }
}

/** What a generation counts: everything but metadata and status. */
function content({ metadata: _metadata, status: _status, ...rest }: Resource): unknown {
  return rest
}

function checkFinalizers(kind: Kind, current: Stored, next: Resource): void {
  const before = current.metadata.finalizers ?? []
  const added = (next.metadata.finalizers ?? []).filter((finalizer) => !before.includes(finalizer))
  if (added.length === 0) return
  const message = `no new finalizers can be added while the object is being deleted: ${added.join(', ')}`
  const field: FieldError = { field: 'metadata.finalizers', message, reason: 'invalid' }
  throw objectInvalid(kind, current.metadata.name, [field])
}
