import { isJsonObject, memberNode, type SchemaNode } from './schema-node.ts'

/** Fills in what the schema's `default`s say, in place and all the way down; wrong values stay as they are. */
export function fillDefaults(node: SchemaNode, value: unknown): void {
  if (Array.isArray(value)) {
    if (node.items !== undefined) for (const item of value) fillDefaults(node.items, item)
    return
  }
  if (!isJsonObject(value)) return
  for (const [key, member] of Object.entries(node.properties ?? {}))
    if (member.default !== undefined && value[key] === undefined) value[key] = structuredClone(member.default)
  for (const key of Object.keys(value)) {
    const member = memberNode(node, key)
    if (member !== undefined) fillDefaults(member, value[key])
  }
}
