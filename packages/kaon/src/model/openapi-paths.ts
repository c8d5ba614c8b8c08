import type { Kind } from './kinds.ts'
import { gvkOf, type OpenApiNode, preserveUnknown, refTo, schemaName, statusName } from './openapi-schemas.ts'

type Method = 'get' | 'put' | 'post' | 'patch' | 'delete'
export type PathItem = { parameters?: OpenApiNode[] } & { [method in Method]?: OpenApiNode }
type Action = 'list' | 'post' | 'get' | 'put' | 'patch' | 'delete'

export const queryParameter = (name: string, type: 'string' | 'boolean' | 'integer', description: string): OpenApiNode => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
})
export const pathParameter = (name: string, description: string): OpenApiNode => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: { type: 'string' },
})

const listParameters = [
  queryParameter('labelSelector', 'string', 'Only objects with these labels, as in app=shop,tier!=test.'),
  queryParameter('fieldSelector', 'string', 'Only objects with these fields, as in metadata.name=hello.'),
  queryParameter('limit', 'integer', 'At most so many; the rest by continue.'),
  queryParameter('continue', 'string', 'Token of the page before.'),
  queryParameter('resourceVersion', 'string', 'With watch: events after this version.'),
  queryParameter('watch', 'boolean', 'Sends events as they happen instead of a list.'),
  queryParameter('allowWatchBookmarks', 'boolean', 'With watch: also tells how far nothing happened.'),
  queryParameter('timeoutSeconds', 'integer', 'With watch: ends it after so long.'),
]
const writeParameters = [
  queryParameter('dryRun', 'string', 'All: answers what would be, and changes nothing.'),
  queryParameter('fieldManager', 'string', 'Who sets these fields.'),
  queryParameter('fieldValidation', 'string', 'Strict, Warn or Ignore; unknown fields are refused unless told otherwise.'),
]
const deleteParameters = [
  queryParameter('dryRun', 'string', 'All: changes nothing.'),
  queryParameter('propagationPolicy', 'string', 'Background, Foreground or Orphan.'),
  queryParameter('gracePeriodSeconds', 'integer', 'How long it may take to end.'),
]
const patchTypes = ['application/merge-patch+json', 'application/json-patch+json']
/** As on a cluster: clients make a strategic merge patch where it is offered, and only Kubernetes's own kinds have one. */
const corePatchTypes = [...patchTypes, 'application/strategic-merge-patch+json']

/** Every address of a kind, by path. */
export function pathsOf(kind: Kind): Record<string, PathItem> {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`
  const scope = kind.namespaced ? `${root}/namespaces/{namespace}` : root
  const namespace = kind.namespaced ? [pathParameter('namespace', 'The namespace.')] : []
  const named = [...namespace, pathParameter('name', `Name of the ${kind.kind}.`)]
  const collection = `${scope}/${kind.plural}`
  return {
    ...(kind.namespaced ? { [`${root}/${kind.plural}`]: { get: operation(kind, 'list', 'ForAllNamespaces') } } : {}),
    [collection]: { get: operation(kind, 'list'), post: operation(kind, 'post'), parameters: namespace },
    [`${collection}/{name}`]: { ...item(kind, ''), delete: operation(kind, 'delete'), parameters: named },
    ...(kind.statusSubresource ? { [`${collection}/{name}/status`]: { ...item(kind, 'Status'), parameters: named } } : {}),
  }
}

function item(kind: Kind, suffix: string): PathItem {
  return { get: operation(kind, 'get', suffix), put: operation(kind, 'put', suffix), patch: operation(kind, 'patch', suffix) }
}

const verbs: Record<Action, string> = { list: 'list', post: 'create', get: 'read', put: 'replace', patch: 'patch', delete: 'delete' }

function operation(kind: Kind, action: Action, suffix = ''): OpenApiNode {
  const group = kind.group === '' ? 'Core' : 'KaonDev'
  return {
    tags: [`${group}_${kind.version}`],
    operationId: `${verbs[action]}${group}V1${kind.namespaced && suffix !== 'ForAllNamespaces' ? 'Namespaced' : ''}${kind.kind}${suffix}`,
    description: `${verbs[action]} ${action === 'list' ? kind.plural : `a ${kind.kind}`}${suffix === 'Status' ? "'s status" : ''}`,
    ...requestOf(kind, action),
    responses: responsesOf(kind, action),
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvkOf(kind),
  }
}

function requestOf(kind: Kind, action: Action): OpenApiNode {
  const whole = { 'application/json': { schema: refTo(schemaName(kind)) }, 'application/yaml': { schema: refTo(schemaName(kind)) } }
  switch (action) {
    case 'list':
      return { parameters: listParameters }
    case 'get':
      return {}
    case 'delete':
      return { parameters: deleteParameters, requestBody: { content: { 'application/json': { schema: preserveUnknown } } } }
    case 'patch': {
      const types = kind.group === '' ? corePatchTypes : patchTypes
      const content = Object.fromEntries(types.map((type) => [type, { schema: preserveUnknown }]))
      return { parameters: writeParameters, requestBody: { required: true, content } }
    }
    case 'post':
    case 'put':
      return { parameters: writeParameters, requestBody: { required: true, content: whole } }
    default:
      return action satisfies never
  }
}

function responsesOf(kind: Kind, action: Action): OpenApiNode {
  const answer = (description: string, name: string) => ({ description, content: { 'application/json': { schema: refTo(name) } } })
  const object = answer('OK', action === 'list' ? `${schemaName(kind)}List` : schemaName(kind))
  return { [action === 'post' ? '201' : '200']: object, default: answer('What went wrong.', statusName) }
}
