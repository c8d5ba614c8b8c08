import { mapValues } from './json-schema.ts'
import { type Kind, kinds } from './kinds.ts'
import { functionPaths } from './openapi-function.ts'
import { type PathItem, pathsOf } from './openapi-paths.ts'
import { componentSchemas, type OpenApiNode } from './openapi-schemas.ts'

const info = { title: 'Kaon', version: 'v1', description: 'The resource API: the conventions of Kubernetes.' }

/** The OpenAPI 3.0 document of one group's version, in the form of the Kubernetes API server. */
export function openApiV3(group: '' | 'kaon.dev'): object {
  const ours = (kinds as readonly Kind[]).filter((kind) => kind.group === group)
  return { openapi: '3.0.0', info, paths: allPaths(ours), components: { schemas: componentSchemas(ours) } }
}

/** The same for all groups as OpenAPI 2.0 (Swagger), which older clients ask for. */
export function openApiV2(): object {
  const definitions = mapValues(componentSchemas(kinds), (schema) => downgrade(schema))
  return { swagger: '2.0', info, paths: mapValues(allPaths(kinds), pathToV2), definitions }
}

function allPaths(some: readonly Kind[]): Record<string, PathItem> {
  return Object.assign({}, ...some.map((kind) => ({ ...pathsOf(kind), ...(kind.kind === 'Function' ? functionPaths(kind) : {}) })))
}

function pathToV2(item: PathItem): OpenApiNode {
  const { parameters = [], ...operations } = item
  return { ...mapValues(operations as Record<string, OpenApiNode>, operationToV2), parameters: parameters.map(parameterToV2) }
}

type Body = { required?: boolean; content: Record<string, { schema: OpenApiNode }> }

function operationToV2({ parameters, requestBody, responses, ...rest }: OpenApiNode): OpenApiNode {
  const body = requestBody as Body | undefined
  const ofBody = body && {
    name: 'body',
    in: 'body',
    required: body.required ?? false,
    schema: downgrade(Object.values(body.content)[0]!.schema),
  }
  return {
    ...rest,
    ...(body === undefined ? {} : { consumes: Object.keys(body.content) }),
    produces: [...new Set(Object.values(responses as Record<string, Body>).flatMap(({ content }) => Object.keys(content)))],
    parameters: [...((parameters ?? []) as OpenApiNode[]).map(parameterToV2), ...(ofBody === undefined ? [] : [ofBody])],
    responses: mapValues(responses as Record<string, { description: string } & Body>, ({ description, content }) => ({
      description,
      schema: downgrade(Object.values(content)[0]!.schema),
    })),
  }
}

function parameterToV2({ schema, ...rest }: OpenApiNode): OpenApiNode {
  return { ...rest, ...(schema as OpenApiNode) }
}

/** References point elsewhere, a lone `allOf` is the reference itself, and null is no flag there. */
function downgrade<T>(value: T): T {
  if (Array.isArray(value)) return value.map(downgrade) as T
  if (typeof value !== 'object' || value === null) return value
  const { allOf, nullable: _, $ref, ...rest } = value as OpenApiNode
  const ref = typeof $ref === 'string' ? { $ref: $ref.replace('#/components/schemas/', '#/definitions/') } : {}
  const inner = Array.isArray(allOf) ? downgrade(allOf[0] as OpenApiNode) : {}
  return { ...mapValues(rest, downgrade), ...ref, ...inner } as T
}
