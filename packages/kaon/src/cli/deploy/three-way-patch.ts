import { isDeepStrictEqual } from 'node:util'

type Json = Record<string, unknown>

/**
 * The JSON merge patch (RFC 7386) that makes `live` what `desired` says: what `desired` names is set, what `last` named
 * and `desired` no longer does is removed, and what neither names is left to whoever set it. Lists count as one value.
 */
export function threeWayPatch(last: Json, desired: Json, live: Json): Json {
  const patch: Json = {}
  for (const [key, value] of Object.entries(desired)) {
    if (isObject(value) && isObject(live[key])) {
      const inner = threeWayPatch(isObject(last[key]) ? last[key] : {}, value, live[key])
      if (Object.keys(inner).length > 0) patch[key] = inner
    } else if (!isDeepStrictEqual(value, live[key]) && value !== undefined) patch[key] = value
  }
  for (const key of Object.keys(last)) if (!Object.hasOwn(desired, key) && Object.hasOwn(live, key)) patch[key] = null
  return patch
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
