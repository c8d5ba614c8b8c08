// The kinds' schemas in the dialect of OpenAPI 3.0 that the Kubernetes API server publishes.
import { mapValues } from './json-schema.ts'
import { apiVersionOf, type Kind } from './kinds.ts'
import { ObjectMeta } from './metadata.ts'
import { nodeOf, type SchemaNode } from './schema-node.ts'

export type OpenApiNode = { [keyword: string]: unknown }
export type GroupVersionKind = { group: string; version: string; kind: string }

const objectMetaName = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'
const listMetaName = 'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta'
export const statusName = 'io.k8s.apimachinery.pkg.apis.meta.v1.Status'
export const preserveUnknown = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }

export function refTo(name: string): OpenApiNode {
  return { $ref: `#/components/schemas/${name}` }
}

export function gvkOf(kind: Kind): GroupVersionKind {
  return { group: kind.group, version: kind.version, kind: kind.kind }
}

/** `dev.kaon.v1.Function`, `io.k8s.api.core.v1.Secret`. */
export function schemaName(kind: Kind): string {
  return `${kind.group === '' ? 'io.k8s.api.core' : 'dev.kaon'}.${kind.version}.${kind.kind}`
}

/** The schemas of some kinds, of their lists, and of what these share. */
export function componentSchemas(kinds: readonly Kind[]): Record<string, OpenApiNode> {
  const ofKinds = kinds.flatMap((kind) => [
    [schemaName(kind), objectSchema(kind)] as const,
    [`${schemaName(kind)}List`, listSchema(kind)] as const,
  ])
  return {
    ...Object.fromEntries(ofKinds),
    [objectMetaName]: { ...toOpenApi(nodeOf(ObjectMeta)), description: 'Name, labels and what the server keeps of an object.' },
    [listMetaName]: {
      type: 'object',
      description: 'How a list stands in history.',
      properties: {
        resourceVersion: { type: 'string' },
        continue: { type: 'string' },
        remainingItemCount: { type: 'integer', format: 'int64' },
      },
    },
    [statusName]: { ...preserveUnknown, description: 'What came of a request.' },
  }
}

function objectSchema(kind: Kind): OpenApiNode {
  const { metadata: _, ...others } = nodeOf(kind.schema).properties ?? {}
  const { properties, ...schema } = toOpenApi({ ...nodeOf(kind.schema), properties: others }) as { properties: Record<string, OpenApiNode> }
  return {
    ...schema,
    properties: {
      ...properties,
      apiVersion: { type: 'string', description: `Always ${apiVersionOf(kind)}.` },
      kind: { type: 'string', description: `Always ${kind.kind}.` },
      metadata: { description: 'Standard metadata of an object.', default: {}, allOf: [refTo(objectMetaName)] },
    },
    'x-kubernetes-group-version-kind': [gvkOf(kind)],
  }
}

function listSchema(kind: Kind): OpenApiNode {
  return {
    type: 'object',
    description: `A list of ${kind.plural}.`,
    required: ['items'],
    properties: {
      apiVersion: { type: 'string', description: `Always ${apiVersionOf(kind)}.` },
      kind: { type: 'string', description: `Always ${kind.kind}List.` },
      metadata: { description: 'How the list stands in history.', default: {}, allOf: [refTo(listMetaName)] },
      items: { type: 'array', items: { default: {}, allOf: [refTo(schemaName(kind))] } },
    },
    'x-kubernetes-group-version-kind': [{ ...gvkOf(kind), kind: `${kind.kind}List` }],
  }
}

/** OpenAPI 3.0 is no JSON Schema of today: null is a flag, a constant is an enum of one, an exclusive minimum is a flag, and patterns name no fields. */
function toOpenApi(node: SchemaNode): OpenApiNode {
  const {
    revision,
    readOnly,
    notAvailable,
    const: constant,
    anyOf,
    properties,
    patternProperties,
    additionalProperties,
    items,
    ...rest
  } = node
  const { exclusiveMinimum, required, ...plain } = rest
  if (anyOf !== undefined) return { ...toOpenApi(anyOf.find((one) => one.type !== 'null')!), ...plain, nullable: true }
  const known = Object.entries(properties ?? {}).filter(([, member]) => member.notAvailable === undefined)
  const wanted =
    required?.filter(
      (name) => name !== 'metadata' && properties?.[name]?.const === undefined && properties?.[name]?.default === undefined,
    ) ?? []
  const [values] = Object.values(patternProperties ?? {})
  return {
    ...plain,
    ...(node.type === undefined && node.enum === undefined && constant === undefined ? preserveUnknown : {}),
    ...(node.enum !== undefined ? { type: 'string' } : {}),
    ...(constant !== undefined ? { type: typeof constant, enum: [constant] } : {}),
    ...(node.type === 'integer' ? { format: 'int64' } : {}),
    ...(exclusiveMinimum !== undefined ? { minimum: exclusiveMinimum, exclusiveMinimum: true } : {}),
    ...(known.length > 0 ? { properties: mapValues(Object.fromEntries(known), toOpenApi) } : {}),
    ...(values !== undefined ? { additionalProperties: toOpenApi(values) } : {}),
    ...(items !== undefined ? { items: toOpenApi(items) } : {}),
    ...(wanted.length > 0 ? { required: wanted } : {}),
  }
}
