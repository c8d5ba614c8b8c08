import { Compile } from 'typebox/compile'
import { type FieldError, KaonError } from '../base/errors.ts'
import { fillDefaults } from './defaults.ts'
import { explain } from './explain.ts'
import { copyJson } from './json-copy.ts'
import type { Kind } from './kinds.ts'
import type { Resource } from './metadata.ts'
import { rulesOf, type ValidationOptions } from './rules.ts'
import { isJsonObject, nodeOf } from './schema-node.ts'

/** More wrong fields than this tell nobody anything. */
const maxErrors = 100
const shownValueLength = 200
/** What of a Secret may be repeated in an error. */
const openSecretFields = ['apiVersion', 'kind', 'type', 'metadata.name', 'metadata.namespace']

const compiled = new Map<Kind, { Check(value: unknown): boolean }>()

/**
 * A valid resource out of anything: a deep copy with the schema's defaults filled in; metadata stays as given. `prepare` of its own result changes nothing.
 * Throws `validation_failed` with every wrong field; the values of Secrets are in none of them.
 */
export function prepare(kind: Kind, input: unknown, options: ValidationOptions = {}): Resource {
  const { value, errors } = copyJson(input)
  if (errors.length === 0) fillDefaults(nodeOf(kind.schema), value)
  const wrong = errors.length > 0 ? presentable(kind, errors) : validate(kind, value, options)
  if (wrong.length > 0) throw refusal(kind, value, wrong)
  return value as Resource
}

/** The same resource with the schema's defaults; whether it is valid is not looked at. */
export function applyDefaults(kind: Kind, object: Resource): Resource {
  const copy = structuredClone(object)
  fillDefaults(nodeOf(kind.schema), copy)
  return copy
}

/** What is wrong with a resource that has its defaults: by its schema, and by the rules that a schema cannot say. Empty when it is valid. */
export function validate(kind: Kind, object: unknown, options: ValidationOptions = {}): FieldError[] {
  const bySchema = fits(kind, object) ? [] : schemaErrors(kind, object)
  const known = new Set(bySchema.map((error) => error.field))
  const byRules = isJsonObject(object) ? rulesOf(kind, object, options).filter((error) => !known.has(error.field)) : []
  return presentable(kind, [...bySchema, ...byRules])
}

/** The compiled schema decides; what it refuses is never let through for want of words. */
function schemaErrors(kind: Kind, object: unknown): FieldError[] {
  const errors = explain(nodeOf(kind.schema), object).take(maxErrors).toArray()
  return errors.length > 0 ? errors : [{ field: '', message: `does not fit the schema of a ${kind.kind}`, reason: 'invalid' }]
}

function fits(kind: Kind, object: unknown): boolean {
  let validator = compiled.get(kind)
  if (validator === undefined) {
    validator = Compile(kind.schema)
    compiled.set(kind, validator)
  }
  return validator.Check(object)
}

/** Without the values that nobody may see, without objects, and with long texts cut. */
function presentable(kind: Kind, errors: FieldError[]): FieldError[] {
  return errors.slice(0, maxErrors).map(({ value, ...error }) => {
    if (kind.kind === 'Secret' && !openSecretFields.includes(error.field))
      return { ...error, message: error.message.replace(/, not .*$/s, '') }
    if (value === undefined || typeof value === 'object') return error
    return { ...error, value: typeof value === 'string' ? value.slice(0, shownValueLength) : value }
  })
}

function refusal(kind: Kind, value: unknown, fields: FieldError[]): KaonError {
  const metadata = isJsonObject(value) && isJsonObject(value.metadata) ? value.metadata : {}
  const name = typeof metadata.name === 'string' ? metadata.name.slice(0, 253) : ''
  const [first] = fields as [FieldError]
  const more = fields.length === 1 ? '' : ` (and ${fields.length === maxErrors ? 'at least ' : ''}${fields.length - 1} more)`
  const where = first.reason === 'unknown' || first.field === '' ? '' : `${first.field} `
  const within = first.reason === 'unknown' && first.field.includes('.') ? ` in ${first.field.slice(0, first.field.lastIndexOf('.'))}` : ''
  return new KaonError(
    'validation_failed',
    `${kind.kind}${name === '' ? '' : ` '${name}'`} is not valid: ${where}${first.message}${within}${more}`,
    {
      fields,
      about: { kind: kind.kind, name },
    },
  )
}
