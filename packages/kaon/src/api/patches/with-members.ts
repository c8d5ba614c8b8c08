import type { JsonObject } from '../../model/schema-node.ts'

/** The object with these members set or, where undefined, left out. A member named `__proto__` stays a member. */
export function withMembers(object: JsonObject, changes: Iterable<readonly [string, unknown]>): JsonObject {
  const members = new Map(Object.entries(object))
  for (const [key, value] of changes) {
    if (value === undefined) members.delete(key)
    else members.set(key, value)
  }
  return Object.fromEntries(members)
}
