import { closestWord } from '../base/closest-word.ts'
import type { FieldError } from '../base/errors.ts'
import { itemPath, memberPath, quoteValue } from './field-path.ts'
import { patternWords } from './schema.ts'
import { isJsonObject, type JsonObject, memberNode, type SchemaNode } from './schema-node.ts'

/** Why `value` does not fit the schema, one wrong field after the other: its path, what was given and what is allowed. Nothing when it fits. */
export function* explain(node: SchemaNode, value: unknown, path = ''): Generator<FieldError> {
  const wanted = mismatch(node, value)
  if (node.notAvailable !== undefined)
    yield { field: path, message: `is not available yet: it ${node.notAvailable}`, reason: 'not_available' }
  else if (wanted !== undefined) yield invalid(path, value, wanted)
  else if (Array.isArray(value)) yield* explainItems(node, value, path)
  else if (node.type === 'object') yield* explainMembers(node, value as JsonObject, path)
}

function* explainItems(node: SchemaNode, list: unknown[], path: string): Generator<FieldError> {
  if (node.items !== undefined) for (const [index, item] of list.entries()) yield* explain(node.items, item, itemPath(path, index))
}

function* explainMembers(node: SchemaNode, value: JsonObject, path: string): Generator<FieldError> {
  for (const key of node.required ?? []) if (!Object.hasOwn(value, key)) yield absent(node, key, path)
  for (const key of Object.keys(value)) {
    const member = memberNode(node, key)
    if (member !== undefined) yield* explain(member, value[key], memberPath(path, key))
    else if (node.additionalProperties === false) yield unknown(node, key, path)
  }
}

type Wanted = { allowed: string; question?: string }

/** What is allowed at this very value, beneath it set aside; undefined when it is. */
function mismatch(node: SchemaNode, value: unknown): Wanted | undefined {
  if (node.anyOf !== undefined)
    return node.anyOf.some((one) => mismatch(one, value) === undefined) ? undefined : { allowed: node.anyOf.map(typeWords).join(' or ') }
  if (node.const !== undefined) return value === node.const ? undefined : { allowed: quoteValue(node.const) }
  if (node.enum !== undefined) return node.enum.includes(value) ? undefined : enumWords(node, value)
  const allowed = limitBroken(node, value)
  return allowed === undefined ? undefined : { allowed }
}

function limitBroken(node: SchemaNode, value: unknown): string | undefined {
  if (!hasType(node, value)) return typeWords(node)
  if (typeof value === 'string') return stringMismatch(node, value)
  if (typeof value === 'number') return numberMismatch(node, value)
  if (Array.isArray(value)) return listMismatch(node, value)
  return undefined
}

function hasType(node: SchemaNode, value: unknown): boolean {
  switch (node.type) {
    case undefined:
      return true
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isJsonObject(value)
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === node.type
  }
}

const nouns = {
  object: 'an object',
  array: 'a list',
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  null: 'null',
}

function typeWords(node: SchemaNode): string {
  return node.type === undefined ? 'something else' : nouns[node.type]
}

function enumWords(node: SchemaNode, value: unknown): Wanted {
  const allowed = node.enum!.map(quoteValue)
  if (allowed.length > 1) return { allowed: `one of ${allowed.join(', ')}`, question: didYouMean(value, node.enum as string[]) }
  return { allowed: `${allowed[0]}`, question: node.description === undefined ? '' : ` (${node.description})` }
}

function stringMismatch(node: SchemaNode, value: string): string | undefined {
  if (value.length < (node.minLength ?? 0)) return node.minLength === 1 ? 'not empty' : `at least ${node.minLength} characters long`
  if (value.length > (node.maxLength ?? Number.POSITIVE_INFINITY)) return `at most ${node.maxLength} characters long`
  if (node.pattern === undefined || new RegExp(node.pattern).test(value)) return undefined
  return patternWords[node.pattern] ?? `of the form ${node.pattern}`
}

function numberMismatch(node: SchemaNode, value: number): string | undefined {
  if (node.minimum !== undefined && value < node.minimum) return `at least ${node.minimum}`
  if (node.exclusiveMinimum !== undefined && value <= node.exclusiveMinimum) return `more than ${node.exclusiveMinimum}`
  if (node.maximum !== undefined && value > node.maximum) return `at most ${node.maximum}`
  return undefined
}

function listMismatch(node: SchemaNode, value: unknown[]): string | undefined {
  if (value.length < (node.minItems ?? 0)) return `a list of at least ${node.minItems}`
  if (value.length > (node.maxItems ?? Number.POSITIVE_INFINITY)) return `a list of at most ${node.maxItems}`
  return undefined
}

function absent(node: SchemaNode, key: string, path: string): FieldError {
  const member = node.properties?.[key]
  const fixed = member?.const === undefined ? '' : `: ${quoteValue(member.const)}`
  return { field: memberPath(path, key), message: `is required${fixed}`, reason: 'required' }
}

function unknown(node: SchemaNode, key: string, path: string): FieldError {
  const field = memberPath(path, key)
  const [keys] = Object.keys(node.patternProperties ?? {})
  if (keys !== undefined)
    return { field, message: `has a name that must be ${patternWords[keys] ?? `of the form ${keys}`}`, reason: 'invalid' }
  const known = Object.entries(node.properties ?? {}).filter(([, member]) => member.notAvailable === undefined)
  const home = known.find(([, member]) => member.properties !== undefined && Object.hasOwn(member.properties, key))
  const names = known.map(([name]) => name)
  const hint = home === undefined ? didYouMean(key, names) : `; did you mean "${home[0]}.${key}"?`
  const shown = key.length > 100 ? `${key.slice(0, 100)}…` : key
  return { field, message: `unknown field "${shown}"${hint || `; known are ${names.join(', ')}`}`, reason: 'unknown' }
}

function didYouMean(given: unknown, candidates: readonly string[]): string {
  const closest = typeof given === 'string' ? closestWord(given, candidates) : undefined
  return closest === undefined ? '' : `; did you mean "${closest}"?`
}

function invalid(field: string, value: unknown, wanted: Wanted): FieldError {
  return { field, message: `must be ${wanted.allowed}, not ${quoteValue(value)}${wanted.question ?? ''}`, value, reason: 'invalid' }
}
