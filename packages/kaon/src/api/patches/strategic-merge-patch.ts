import { isDeepStrictEqual } from 'node:util'
import { isJsonObject, type JsonObject } from '../../model/schema-node.ts'
import { badRequest } from '../object-errors.ts'
import { withMembers } from './with-members.ts'

/** Those lists of the core kinds that are merged rather than replaced: by a key of their items, or item by item. */
const mergedLists: Readonly<Record<string, { key?: string }>> = {
  'metadata.finalizers': {},
  'metadata.ownerReferences': { key: 'uid' },
}
const deletePrefix = '$deleteFromPrimitiveList/'

/** Kubernetes's strategic merge patch for the core kinds: a merge patch with `$patch`, `$retainKeys` and lists that merge. */
export function strategicMergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) throw badRequest('A strategic merge patch is an object.')
  return mergeObject(isJsonObject(target) ? target : {}, patch, [])
}

/** Undefined when the patch says that the object goes. */
function mergeObject(target: JsonObject, patch: JsonObject, path: readonly string[]): JsonObject | undefined {
  const directive = directiveOf(patch)
  if (directive === 'delete') return undefined
  let base = directive === 'replace' ? {} : retained(target, patch.$retainKeys)
  for (const [key, items] of Object.entries(patch)) {
    if (!key.startsWith(deletePrefix)) continue
    const list = key.slice(deletePrefix.length)
    base = withMembers(base, [[list, withoutItems(base[list], items)]])
  }
  const members = Object.entries(patch).filter(([key]) => !key.startsWith('$'))
  return withMembers(
    base,
    members.map(([key, value]) => [key, mergeMember(Object.hasOwn(base, key) ? base[key] : undefined, value, [...path, key])] as const),
  )
}

function directiveOf(patch: JsonObject): 'delete' | 'merge' | 'replace' {
  const directive = patch.$patch ?? 'merge'
  if (directive === 'delete' || directive === 'merge' || directive === 'replace') return directive
  throw badRequest('A $patch directive is delete, merge or replace.')
}

/** Undefined leaves the member out. */
function mergeMember(target: unknown, patch: unknown, path: readonly string[]): unknown {
  if (patch === null) return undefined
  if (isJsonObject(patch)) return mergeObject(isJsonObject(target) ? target : {}, patch, path)
  const merged = mergedLists[path.join('.')]
  if (Array.isArray(patch) && merged !== undefined) return mergeList(Array.isArray(target) ? target : [], patch, merged.key)
  return patch
}

function mergeList(target: readonly unknown[], patch: readonly unknown[], key: string | undefined): unknown[] {
  if (patch.some((item) => isJsonObject(item) && item.$patch === 'replace'))
    return patch.filter((item) => !(isJsonObject(item) && '$patch' in item))
  const result = [...target]
  for (const item of patch) {
    const at = result.findIndex((present) => isSameItem(present, item, key))
    const next = key === undefined ? item : mergeMember(result[at], item, [])
    if (at === -1) result.push(...(next === undefined ? [] : [next]))
    else result.splice(at, 1, ...(next === undefined ? [] : [next]))
  }
  return result
}

function isSameItem(present: unknown, item: unknown, key: string | undefined): boolean {
  if (key === undefined) return isDeepStrictEqual(present, item)
  return isJsonObject(present) && isJsonObject(item) && present[key] === item[key]
}

function withoutItems(list: unknown, items: unknown): unknown {
  if (!Array.isArray(items)) throw badRequest('A $deleteFromPrimitiveList directive is a list.')
  return Array.isArray(list) ? list.filter((item) => !items.includes(item)) : list
}

function retained(target: JsonObject, keys: unknown): JsonObject {
  if (keys === undefined) return target
  if (!Array.isArray(keys)) throw badRequest('A $retainKeys directive is a list.')
  return Object.fromEntries(Object.entries(target).filter(([key]) => keys.includes(key)))
}
