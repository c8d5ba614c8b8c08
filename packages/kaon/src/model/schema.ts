import Type, { type Static, type TSchema } from 'typebox'
import { durationPattern, quantityPattern } from '../base/units.ts'

// JSON Schema is the one description of every resource: defaults, validation, TypeScript types, OpenAPI and editor completion come from it.
// Two annotations of our own stand beside the standard keywords:
//   revision: true            a change of this field makes a new immutable Revision
//   notAvailable: 'reason'    the field is reserved: giving it is refused by name
// and one is Kubernetes's: x-kubernetes-preserve-unknown-fields.

type Options = { description?: string; default?: unknown; examples?: unknown[] }

/** An object that knows all its fields: anything else is an error with a 'did you mean'. */
export function closed<T extends Record<string, TSchema>>(properties: T, options: Options = {}) {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

/** Marks a field of a Function's spec as one that decides bytes or process: a change makes a new Revision. */
export function revisioned<T extends TSchema>(schema: T): T {
  return Object.assign(schema, { revision: true })
}

/** A field that is reserved for later: it is described, and refused by name until then. */
export function reserved(reason: string, description: string) {
  return Type.Optional(Type.Unknown({ description, notAvailable: reason }))
}

export function text(description: string, options: Options & { pattern?: string; maxLength?: number; minLength?: number } = {}) {
  return Type.String({ description, ...options })
}

/** A duration such as `30s`, `1m30s` or `250ms`. */
export function duration(description: string, options: Options = {}) {
  return Type.String({ description, pattern: durationPattern, format: 'duration', maxLength: 32, ...options })
}

/** A Kubernetes quantity such as `500m` or `128Mi`. */
export function quantity(description: string, options: Options = {}) {
  return Type.String({ description, pattern: quantityPattern, format: 'quantity', maxLength: 32, ...options })
}

export function choice<const T extends string[]>(values: readonly [...T], description: string, options: Options = {}) {
  return Type.Enum([...values], { description, ...options })
}

/** RFC 1123 label without `--`, which addresses of tagged revisions need for themselves. */
export const namePattern = '^[a-z0-9]([a-z0-9]|-(?!-))*[a-z0-9]$|^[a-z0-9]$'
/** RFC 1123 subdomain: what Kubernetes allows for secrets and config maps. */
export const subdomainPattern = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
export const environmentNamePattern = '^[A-Za-z_][A-Za-z0-9_]*$'
export const digestPattern = '^sha256:[0-9a-f]{64}$'

export const nameMaxLength = 50

export type { Static, TSchema }
export { Type }
