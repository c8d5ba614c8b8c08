import { apiVersionOf, type Kind } from '../../model/kinds.ts'
import type { Stored } from '../../model/metadata.ts'
import type { ListResult, Store } from '../../stores/store.ts'
import { badRequest, resourceName } from '../object-errors.ts'
import { type Representation, valueResponse } from '../representation.ts'
import { readSelection, type Selection } from '../selectors/selection.ts'
import { tableOf } from '../tables/table.ts'
import { readCount } from './query.ts'

/** Objects looked at for one page when most do not match: the page then ends early, with a token for the rest. */
const maxScanned = 5000
const pageSize = 500

type ListRequest = { kind: Kind; namespace: string | undefined; query: URLSearchParams; as: Representation }

export async function listObjects(deps: { store: Store; nowMs: number }, { kind, namespace, query, as }: ListRequest): Promise<Response> {
  if (query.get('resourceVersionMatch') === 'Exact')
    throw badRequest('resourceVersionMatch=Exact is not available.', 'Leave it out to get the latest.')
  const limit = readCount(query, 'limit') ?? 0
  const { items, resourceVersion, continueFrom } = await selectPage(deps.store, {
    kind,
    namespace,
    limit: limit === 0 ? Number.POSITIVE_INFINITY : limit,
    continueFrom: query.get('continue') || undefined,
    selection: readSelection(query),
  })
  const metadata = { resourceVersion, ...(continueFrom === undefined ? {} : { continue: continueFrom }) }
  if (as.kind === 'table') return valueResponse(tableOf(kind, items, { nowMs: deps.nowMs, include: as.include, metadata }))
  return valueResponse({ kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind), metadata, items }, as)
}

type PageQuery = { kind: Kind; namespace: string | undefined; limit: number; continueFrom?: string | undefined; selection: Selection }

/** A page of what matches. The store pages over everything, so a page of its may hold little that does. */
async function selectPage(store: Store, { kind, namespace, limit, continueFrom, selection }: PageQuery): Promise<ListResult> {
  const items: Stored[] = []
  let next = continueFrom
  for (let scanned = 0; ; ) {
    const page = await store.list({
      resource: resourceName(kind),
      ...(namespace === undefined ? {} : { namespace }),
      ...(Number.isFinite(limit) ? { limit: Math.min(limit - items.length, pageSize) } : {}),
      ...(next === undefined ? {} : { continueFrom: next }),
    })
    items.push(...page.items.filter((object) => selection.matches(object)))
    scanned += page.items.length
    next = page.continueFrom
    const isFull = items.length >= limit || (Number.isFinite(limit) && scanned >= maxScanned)
    if (next === undefined) return { items, resourceVersion: page.resourceVersion }
    if (isFull) return { items, resourceVersion: page.resourceVersion, continueFrom: next }
  }
}

/** Everything that matches, for deletions of many. */
export async function selectAll(store: Store, query: Omit<PageQuery, 'limit'>): Promise<ListResult> {
  return selectPage(store, { ...query, limit: Number.POSITIVE_INFINITY })
}
