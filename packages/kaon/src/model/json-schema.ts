import type { Kind } from './kinds.ts'
import { nodeOf, type SchemaNode } from './schema-node.ts'

/** The JSON Schema of what an author writes: nothing that the server sets, nothing that is not available yet, and only fields without a default required. */
export function jsonSchemaOf(kind: Kind): object {
  const { status: _, ...properties } = nodeOf(kind.schema).properties ?? {}
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `https://kaon.dev/schemas/${kind.kind}.json`,
    title: kind.kind,
    ...authored({ ...nodeOf(kind.schema), properties }),
  }
}

function authored(node: SchemaNode): SchemaNode {
  const { revision: _, properties, patternProperties, items, anyOf, required, ...rest } = node
  const known = Object.entries(properties ?? {}).filter(([, member]) => member.notAvailable === undefined && member.readOnly !== true)
  const wanted = required?.filter((name) => known.some(([key, member]) => key === name && member.default === undefined)) ?? []
  return {
    ...rest,
    ...(properties === undefined ? {} : { properties: Object.fromEntries(known.map(([key, member]) => [key, authored(member)])) }),
    ...(patternProperties === undefined ? {} : { patternProperties: mapValues(patternProperties, authored) }),
    ...(items === undefined ? {} : { items: authored(items) }),
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map(authored) }),
    ...(wanted.length === 0 ? {} : { required: wanted }),
  }
}

export function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}
