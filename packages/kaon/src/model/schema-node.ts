import type { TSchema } from 'typebox'

/** The JSON Schema keywords that our schemas use, for code that walks them. */
export type SchemaNode = {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null'
  description?: string
  default?: unknown
  const?: unknown
  enum?: unknown[]
  anyOf?: SchemaNode[]
  properties?: Record<string, SchemaNode>
  patternProperties?: Record<string, SchemaNode>
  additionalProperties?: boolean
  required?: string[]
  items?: SchemaNode
  pattern?: string
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
  /** The server sets it. */
  readOnly?: boolean
  /** Ours: the field is reserved, and this says when it comes. */
  notAvailable?: string
  /** Ours: a change makes a new Revision. */
  revision?: boolean
}

/** A schema as the walkers read it. */
export function nodeOf(schema: TSchema): SchemaNode {
  return schema as SchemaNode
}

/** The schema of the member `key`; undefined when it is an unknown field. */
export function memberNode(node: SchemaNode, key: string): SchemaNode | undefined {
  if (node.properties !== undefined && Object.hasOwn(node.properties, key)) return node.properties[key]
  for (const [pattern, member] of Object.entries(node.patternProperties ?? {})) if (new RegExp(pattern).test(key)) return member
  return undefined
}

export type JsonObject = { [key: string]: unknown }

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
