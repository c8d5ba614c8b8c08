import type { FieldError } from '../base/errors.ts'
import { itemPath, memberPath } from './field-path.ts'
import type { JsonObject } from './schema-node.ts'

export const maxDepth = 64
const maxStringLength = 2_000_000
/** Of fields and list items, all the way down: every later step looks at each. */
export const maxValues = 50_000

export type JsonCopy = { value: unknown; errors: FieldError[] }

/**
 * A deep copy of JSON, with what no resource may hold as errors: more than 64 levels, more than 50,000 values, a `__proto__` key, overlong strings, and what is no JSON.
 * Members that are null or undefined are left out: null means "not given", as in Kubernetes.
 */
export function copyJson(value: unknown): JsonCopy {
  const errors: FieldError[] = []
  if (!holdsFew(value))
    return { value: undefined, errors: [{ field: '', message: `must not hold more than ${maxValues} values`, reason: 'invalid' }] }
  return { value: copy(value, '', 0, errors), errors }
}

function holdsFew(root: unknown): boolean {
  let left = maxValues
  const pending = [{ value: root, depth: 0 }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next.value !== 'object' || next.value === null || next.depth >= maxDepth) continue
    const members = Object.values(next.value)
    left -= members.length
    if (left < 0) return false
    for (const value of members) pending.push({ value, depth: next.depth + 1 })
  }
  return true
}

function copy(value: unknown, path: string, depth: number, errors: FieldError[]): unknown {
  switch (typeof value) {
    case 'string':
      if (value.length <= maxStringLength) return value
      return refuse(errors, path, `must not be longer than ${maxStringLength} characters`)
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : refuse(errors, path, `must be a finite number, not ${value}`)
    case 'object':
      if (value === null) return null
      if (depth >= maxDepth) return refuse(errors, path, `is nested deeper than ${maxDepth} levels`)
      return Array.isArray(value) ? copyList(value, path, depth, errors) : copyMembers(value as JsonObject, path, depth, errors)
    default:
      return refuse(errors, path, `must be JSON, not ${typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`}`)
  }
}

function copyList(list: unknown[], path: string, depth: number, errors: FieldError[]): unknown[] {
  return list.map((item, index) => copy(item, itemPath(path, index), depth + 1, errors))
}

function copyMembers(object: JsonObject, path: string, depth: number, errors: FieldError[]): JsonObject {
  const result: JsonObject = {}
  for (const key of Object.keys(object)) {
    const member = object[key]
    if (key === '__proto__') refuse(errors, memberPath(path, key), 'is a name that no field may have')
    else if (member !== undefined && member !== null) result[key] = copy(member, memberPath(path, key), depth + 1, errors)
  }
  return result
}

function refuse(errors: FieldError[], field: string, message: string): undefined {
  errors.push({ field, message, reason: 'invalid' })
  return undefined
}
