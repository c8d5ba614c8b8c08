import { isJsonObject } from '../../model/schema-node.ts'
import { withMembers } from './with-members.ts'

/** RFC 7396: members of the patch replace those of the target, null removes, objects merge, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch
  const base = isJsonObject(target) ? target : {}
  return withMembers(
    base,
    Object.entries(patch).map(([key, value]) => [key, value === null ? undefined : mergePatch(ownMember(base, key), value)] as const),
  )
}

function ownMember(object: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}
