import { type FieldError, KaonError } from '../base/errors.ts'
import type { Kind } from '../model/kinds.ts'

/** `functions.kaon.dev`, and bare for the core kinds: how the store and Kubernetes's messages name a kind. */
export function resourceName(kind: Pick<Kind, 'group' | 'plural'>): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`
}

/* The wording of the next four is the API server's: clients and scripts match on it. */

export function objectNotFound(kind: Kind, name: string): KaonError {
  return new KaonError('not_found', `${resourceName(kind)} "${name}" not found`, { about: { kind: kind.plural, name } })
}

export function objectExists(kind: Kind, name: string): KaonError {
  return new KaonError('already_exists', `${resourceName(kind)} "${name}" already exists`, { about: { kind: kind.plural, name } })
}

export function objectChanged(kind: Kind, name: string): KaonError {
  return conflictOn(kind, name, 'the object has been modified; please apply your changes to the latest version and try again')
}

export function conflictOn(kind: Kind, name: string, reason: string): KaonError {
  const message = `Operation cannot be fulfilled on ${resourceName(kind)} "${name}": ${reason}`
  return new KaonError('conflict', message, { about: { kind: kind.plural, name } })
}

/** One error of all wrong fields. */
export function objectInvalid(kind: Kind, name: string, fields: FieldError[]): KaonError {
  const list = fields.map((f) => `${f.field}: ${f.message}`).join('; ')
  return new KaonError('validation_failed', `${kind.kind} '${name}' is not valid: ${list}`, { fields, about: { kind: kind.kind, name } })
}

export function badRequest(message: string, hint?: string): KaonError {
  return new KaonError('invalid_request', message, hint === undefined ? {} : { hint })
}
