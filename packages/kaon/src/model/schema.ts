import Type, { type Static, type TSchema } from 'typebox'
import { durationPattern, quantityPattern } from '../base/units.ts'

// JSON Schema is the one description of every resource: defaults, validation, TypeScript types, OpenAPI and editor completion come from it.
// `readOnly` fields are the server's to set; nobody writes them into a file. Two annotations of our own stand beside the standard keywords:
//   revision: true            a change of this field makes a new immutable Revision
//   notAvailable: 'reason'    the field is reserved: giving it is refused by name
// Only the keywords below stand in these schemas (no `format`: Kubernetes's durations are not those of JSON Schema); `explain.ts` puts each into words.

type Options = { description?: string; default?: unknown; examples?: unknown[]; readOnly?: boolean }

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
  return Type.Optional(Type.Never({ description, notAvailable: reason }))
}

/** An object whose keys are the author's to choose, as far as they match `keys`. */
export function mapOf<T extends TSchema>(keys: string, values: T, options: Options = {}) {
  return Type.Record(Type.String({ pattern: keys }), values, { additionalProperties: false, ...options })
}

export function text(description: string, options: Options & { pattern?: string; maxLength?: number; minLength?: number } = {}) {
  return Type.String({ description, ...options })
}

/** A duration such as `30s`, `1m30s` or `250ms`. */
export function duration(description: string, options: Options = {}) {
  return Type.String({ description, pattern: durationPattern, maxLength: 32, ...options })
}

/** A Kubernetes quantity such as `500m` or `128Mi`. */
export function quantity(description: string, options: Options = {}) {
  return Type.String({ description, pattern: quantityPattern, maxLength: 32, ...options })
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
export const base64Pattern = '^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$'
/** Keys of secrets and config maps: they become file names. */
export const dataKeyPattern = '^(?!\\.\\.?$)[-._a-zA-Z0-9]{1,253}$'
/** Keys of labels and annotations: an optional DNS prefix and a name. */
export const labelKeyPattern = '^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'
export const labelValuePattern = '^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$'
export const triggerNamePattern = '^[a-z0-9][a-z0-9-]{0,62}$'
const loopbackHttp = 'http://(localhost|[^/@?#]+\\.localhost|127(\\.\\d{1,3}){3}|\\[::1\\])(:\\d+)?(/|$)'
/** Where archives come from: over TLS, or from this machine. */
export const archiveUrlPattern = `^(https://[^/@?#]+|${loopbackHttp})`
/** Repositories: over TLS or ssh, a folder, or http on this machine. */
export const gitUrlPattern = `^((https|ssh|file)://|${loopbackHttp}|[\\w.-]+@[\\w.-]+:)`
export const gitRefPattern = '^[A-Za-z0-9_][A-Za-z0-9_./+-]*$'
export const tagPattern = '^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$'
export const handlerPattern = '^[^\\0#]+(#[A-Za-z_$][\\w$]*)?$'
export const hostPattern = '^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
export const headerNamePattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"

/** What a pattern asks for, in words: errors say this instead of the pattern. */
export const patternWords: Readonly<Record<string, string>> = {
  [durationPattern]: "a duration such as '250ms', '30s' or '1h30m'",
  [quantityPattern]: "a quantity such as '500m', '2' or '128Mi'",
  [namePattern]: "lower-case letters, digits and single dashes, beginning and ending with a letter or digit, as in 'my-function'",
  [subdomainPattern]: "lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit, as in 'my-config'",
  [environmentNamePattern]: "letters, digits and '_', not beginning with a digit, as in 'API_URL'",
  [digestPattern]: "a digest: 'sha256:' and 64 hexadecimal digits",
  [base64Pattern]: 'base64 with padding and without line breaks',
  [dataKeyPattern]: "letters, digits, '-', '_' and '.', at most 253",
  [labelKeyPattern]: "a name of at most 63 letters, digits, '-', '_' and '.', with an optional prefix as in 'example.com/team'",
  [labelValuePattern]: "at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
  '^/': "a path beginning with '/'",
  '^https?://': "an address beginning with 'https://' or 'http://'",
  '^[0-9a-f]{64}$': '64 hexadecimal digits in lower case',
  [archiveUrlPattern]: "an address beginning with 'https://', or with 'http://' on this machine",
  [gitUrlPattern]: "an address beginning with 'https://', 'ssh://' or 'file://', 'user@host:path', or 'http://' on this machine",
  [gitRefPattern]: "a branch, tag or commit such as 'main' or 'v1.2.0'",
  [tagPattern]: "at most 22 lower-case letters, digits and dashes, as in 'canary'",
  [handlerPattern]: "a file, or a file and an export, as in 'handler.ts' or 'handler.ts#greet'",
  [hostPattern]: "a host name in lower case without port, as in 'shop.example.com' or '*.example.com'",
  [headerNamePattern]: "a header name such as 'x-api-key'",
  [triggerNamePattern]: 'lower-case letters, digits and dashes, at most 63',
}

export type { Static, TSchema }
export { Type }
