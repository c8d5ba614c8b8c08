import type { FieldError } from '../base/errors.ts'
import { isJsonObject, type JsonObject } from './schema-node.ts'

/** The members of an object; none when it is something else. */
export function membersOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {}
}

/** The objects of a list with their index; none when it is something else. */
export function objectsOf(value: unknown): { item: JsonObject; index: number }[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((item, index) => (isJsonObject(item) ? [{ item, index }] : []))
}

export function invalidField(field: string, message: string, value?: unknown): FieldError {
  return { field, message, reason: 'invalid', ...(value === undefined ? {} : { value }) }
}

/** An error unless exactly one of `names` is given. */
export function exactlyOne(field: string, object: JsonObject, names: readonly string[]): FieldError[] {
  const given = names.filter((name) => object[name] !== undefined)
  if (given.length === 1) return []
  return [invalidField(field, `must have exactly one of ${words(names)}, not ${given.length === 0 ? 'none' : words(given)}`)]
}

/** An error for each value that an earlier one has already. */
export function givenTwice(fieldOf: (index: number) => string, values: readonly { value: unknown; index: number }[]): FieldError[] {
  const first = new Map<unknown, number>()
  return values.flatMap(({ value, index }) => {
    if (typeof value !== 'string') return []
    const earlier = first.get(value)
    if (earlier === undefined) first.set(value, index)
    return earlier === undefined
      ? []
      : [invalidField(fieldOf(index), `must differ from ${fieldOf(earlier)}, which is '${value}' too`, value)]
  })
}

/** Why a path would leave its folder, or be another path on another system; undefined when it is safe. */
export function unsafePath(path: string, options: { absolute: 'allowed' | 'refused' }): string | undefined {
  if (path.includes('\0')) return 'must not hold a NUL'
  if (path.includes('\\')) return "must use '/', not '\\'"
  if (path.split('/').includes('..')) return "must not hold '..'"
  if (options.absolute === 'refused' && path.startsWith('/')) return 'must be relative'
  return undefined
}

function words(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}
