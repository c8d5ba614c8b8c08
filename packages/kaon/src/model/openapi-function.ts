// What stands beneath a Function besides its status: its source, its build, its logs, its metrics, and itself.
import type { Kind } from './kinds.ts'
import { type PathItem, pathParameter, queryParameter } from './openapi-paths.ts'
import { type OpenApiNode, refTo, statusName } from './openapi-schemas.ts'

const revision = queryParameter('revision', 'string', 'Name of a revision; the latest created one when left out.')
const follow = queryParameter('follow', 'boolean', 'Goes on as it grows.')
const digest = {
  type: 'object',
  required: ['digest', 'bytes'],
  properties: { digest: { type: 'string', description: 'Names it in spec.source.upload.' }, bytes: { type: 'integer', format: 'int64' } },
}

export function functionPaths(kind: Kind): Record<string, PathItem> {
  const root = `/apis/${kind.group}/${kind.version}/namespaces/{namespace}/${kind.plural}/{name}`
  const parameters = [pathParameter('namespace', 'The namespace.'), pathParameter('name', 'Name of the function.')]
  const logParameters = [
    follow,
    revision,
    queryParameter('since', 'string', 'A duration such as 10m, or a time.'),
    queryParameter('level', 'string', 'Least level: debug, info, warn or error.'),
    queryParameter('tail', 'integer', 'Only the last so many of what is there.'),
  ]
  const tar = { required: true, content: { 'application/x-tar': { schema: { type: 'string', format: 'binary' } } } }
  const invoke = (method: string) =>
    answer(`${method}FunctionInvoke`, 'Calls the function; the answer is its own.', '*/*', { type: 'string', format: 'binary' })
  return {
    [`${root}/source`]: {
      put: { ...answer('putFunctionSource', 'Takes a tar, at most 100 MB.', 'application/json', digest, '201'), requestBody: tar },
      parameters,
    },
    [`${root}/build`]: {
      get: { ...answer('readFunctionBuild', 'The log of a build.', 'text/plain', { type: 'string' }), parameters: [revision, follow] },
      parameters,
    },
    [`${root}/logs`]: {
      get: {
        ...answer('readFunctionLogs', 'Log records, one a line.', 'application/x-ndjson', { type: 'string' }),
        parameters: logParameters,
      },
      parameters,
    },
    [`${root}/metrics`]: {
      get: answer('readFunctionMetrics', "Prometheus text of the function's replicas.", 'text/plain', { type: 'string' }),
      parameters,
    },
    [`${root}/invoke/{path}`]: {
      get: invoke('get'),
      put: invoke('put'),
      post: invoke('post'),
      patch: invoke('patch'),
      delete: invoke('delete'),
      parameters: [...parameters, pathParameter('path', 'The rest of the path, as the function sees it.')],
    },
  }
}

function answer(operationId: string, description: string, type: string, schema: OpenApiNode, status = '200'): OpenApiNode {
  return {
    tags: ['KaonDev_v1'],
    operationId,
    description,
    responses: {
      [status]: { description: 'OK', content: { [type]: { schema } } },
      default: { description: 'What went wrong.', content: { 'application/json': { schema: refTo(statusName) } } },
    },
  }
}
