import { apiVersionOf, type Kind } from '../../model/kinds.ts'
import type { Stored } from '../../model/metadata.ts'
import { isJsonObject, type JsonObject } from '../../model/schema-node.ts'
import { readValue } from '../body.ts'
import { badRequest } from '../object-errors.ts'
import type { DeleteOptions } from '../object-writer.ts'
import { readDryRun } from './query.ts'

const policies = ['Background', 'Foreground', 'Orphan'] as const

/** DeleteOptions of the body, or of the query where there is none. Throws `invalid_request`. */
export async function readDeleteOptions(request: Request, query: URLSearchParams): Promise<DeleteOptions> {
  const body = (await readValue(request)) ?? {}
  if (!isJsonObject(body) || (body.kind ?? 'DeleteOptions') !== 'DeleteOptions')
    throw badRequest('The body of a deletion is a DeleteOptions object.')
  const preconditions = body.preconditions ?? {}
  if (!isJsonObject(preconditions)) throw badRequest('preconditions must be an object.')
  const { uid, resourceVersion } = preconditions
  const propagation = readPropagation(body, query)
  return {
    dryRun: readDryRun(query) || (Array.isArray(body.dryRun) && body.dryRun.includes('All')),
    ...(typeof uid === 'string' ? { uid } : {}),
    ...(typeof resourceVersion === 'string' ? { resourceVersion } : {}),
    ...(propagation === undefined ? {} : { propagation }),
  }
}

function readPropagation(body: JsonObject, query: URLSearchParams): DeleteOptions['propagation'] {
  const given = body.propagationPolicy ?? (query.get('propagationPolicy') || undefined)
  if (given === undefined || given === null) return undefined
  const policy = policies.find((name) => name === given)
  if (policy === undefined) throw badRequest(`propagationPolicy must be one of ${policies.join(', ')}.`)
  return policy
}

/** What a deletion that is done answers. */
export function deletedStatus(kind: Kind, { metadata }: Stored): Record<string, unknown> {
  const details = { name: metadata.name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.plural, uid: metadata.uid }
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }
}

/** What a deletion of many answers: the objects as they last stood. */
export function deletedList(kind: Kind, items: readonly Stored[], resourceVersion: string): Record<string, unknown> {
  return { kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind), metadata: { resourceVersion }, items }
}
