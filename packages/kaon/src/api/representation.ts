import { stringify } from 'yaml'
import { KaonError } from '../base/errors.ts'
import type { Kind } from '../model/kinds.ts'
import type { Stored } from '../model/metadata.ts'
import { badRequest } from './object-errors.ts'
import { tableOf } from './tables/table.ts'

/** How the client wants to see objects. */
export type Representation = { kind: 'json' } | { kind: 'yaml' } | { kind: 'table'; include: 'None' | 'Metadata' | 'Object' }

/** The first thing in Accept that we can make. Throws `not_acceptable`. */
export function readRepresentation(request: Request, query: URLSearchParams): Representation {
  const accept = request.headers.get('accept') ?? '*/*'
  for (const part of accept.split(',')) {
    const [type, ...parameters] = part.split(';').map((word) => word.trim().toLowerCase())
    const as = parameters.find((parameter) => parameter.startsWith('as='))
    if (as === 'as=table' && type === 'application/json' && parameters.includes('g=meta.k8s.io') && parameters.includes('v=v1'))
      return { kind: 'table', include: readInclude(query) }
    if (as !== undefined) continue
    if (type === '*/*' || type === 'application/*' || type === 'application/json') return { kind: 'json' }
    if (type === 'application/yaml') return { kind: 'yaml' }
  }
  throw new KaonError('not_acceptable', `Nothing of '${accept.slice(0, 200)}' can be made.`, {
    hint: 'Ask for application/json or application/yaml.',
  })
}

function readInclude(query: URLSearchParams): 'None' | 'Metadata' | 'Object' {
  const include = query.get('includeObject') ?? ''
  if (include === '') return 'Metadata'
  if (include === 'None' || include === 'Metadata' || include === 'Object') return include
  throw badRequest(`includeObject must be None, Metadata or Object, not '${include.slice(0, 50)}'.`)
}

/** One object as it was asked for. */
export function objectResponse(kind: Kind, object: Stored, options: { as: Representation; nowMs: number; status?: 200 | 201 }): Response {
  const { as, nowMs, status = 200 } = options
  if (as.kind !== 'table') return valueResponse(object, as, status)
  const metadata = { resourceVersion: object.metadata.resourceVersion }
  return valueResponse(tableOf(kind, [object], { nowMs, include: as.include, metadata }), as, status)
}

/** Any value of the API as JSON or YAML. */
export function valueResponse(value: unknown, as: Pick<Representation, 'kind'> = { kind: 'json' }, status = 200): Response {
  const isYaml = as.kind === 'yaml'
  return new Response(isYaml ? stringify(value) : JSON.stringify(value), {
    status,
    headers: {
      'content-type': isYaml ? 'application/yaml' : 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
  })
}
