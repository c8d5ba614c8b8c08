import { KaonError } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import type { System } from '../../base/system.ts'
import { apiVersionOf, type Kind } from '../../model/kinds.ts'
import type { Stored } from '../../model/metadata.ts'
import type { Store, WatchEvent } from '../../stores/store.ts'
import { statusOf } from '../error-response.ts'
import { resourceName } from '../object-errors.ts'
import type { Representation } from '../representation.ts'
import { readSelection, type Selection } from '../selectors/selection.ts'
import { tableOf } from '../tables/table.ts'
import { abortWith, textStream } from '../text-stream.ts'
import { selectAll } from './list.ts'
import { readCount, readFlag } from './query.ts'

/** Watches end by themselves after 30 to 60 minutes, so that clients spread over time and dead ones do not pile up. */
const shortestMs = 30 * 60_000

/** A client that takes nothing for so long is gone, or will list anew. */
const patienceMs = 60_000
/** Well below the connections that the API takes, so that watches never keep everything else out. */
const maxWatches = 1000

type WatchRequest = {
  kind: Kind
  namespace: string | undefined
  name: string | undefined
  query: URLSearchParams
  as: Representation
  signal: AbortSignal
}
/** How many watches an API serves now. */
export type OpenWatches = { count: number }
type WatchDeps = { store: Store; log: Log; openWatches: OpenWatches } & Pick<System, 'clock' | 'random'>
type Sent = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: Stored }

/** Changes as they happen, a JSON line each, until the client goes away or the time is up. Throws `overloaded`. */
export function watchObjects(deps: WatchDeps, request: WatchRequest): Response {
  if (deps.openWatches.count >= maxWatches)
    throw new KaonError('overloaded', `${maxWatches} watches are open, which is all that are served at once.`, {
      hint: 'End some and try again.',
      retryAfterSeconds: 10,
    })
  const seconds = readCount(request.query, 'timeoutSeconds') ?? 0
  const abort = abortWith(request.signal)
  const lifeMs = seconds > 0 ? seconds * 1000 : shortestMs * (1 + deps.random.fraction())
  const lines = watchLines(deps, request, { selection: readSelection(request.query, request.name), abort, lifeMs })
  return new Response(textStream(lines, abort, deps.log, { clock: deps.clock, ms: patienceMs }), {
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
  })
}

async function* watchLines(
  deps: WatchDeps,
  request: WatchRequest,
  { selection, abort, lifeMs }: { selection: Selection; abort: AbortController; lifeMs: number },
): AsyncGenerator<string> {
  const end = deps.clock.after(lifeMs, () => abort.abort(), { idle: true })
  const present = createPresenter(deps, request)
  deps.openWatches.count++
  try {
    yield* liveLines(deps, request, selection, { signal: abort.signal, present })
  } catch (error) {
    if (abort.signal.aborted) return
    // The answer has begun: what went wrong (most often: `expired`) can only be told as an event.
    deps.log.debug('A watch ended.', { error })
    yield `${JSON.stringify({ type: 'ERROR', object: statusOf(error) })}\n`
  } finally {
    deps.openWatches.count--
    end.cancel()
    abort.abort()
  }
}

async function* liveLines(
  { store }: WatchDeps,
  { kind, namespace, query }: WatchRequest,
  selection: Selection,
  { signal, present }: { signal: AbortSignal; present: Presenter },
): AsyncGenerator<string> {
  const given = query.get('resourceVersion') ?? ''
  const startsWithAll = given === '' || given === '0' || readFlag(query, 'sendInitialEvents')
  const memory = new Map<string, boolean>()
  let after = given
  if (startsWithAll || !selection.isLasting) {
    const everything = { matches: () => true, isLasting: true }
    const { items, resourceVersion } = await selectAll(store, { kind, namespace, selection: everything })
    if (startsWithAll) after = resourceVersion
    for (const object of items) {
      const isMatch = selection.matches(object)
      if (isMatch && startsWithAll) yield present.event({ type: 'ADDED', object })
      if (isUnchangedSince(object, after)) memory.set(object.metadata.uid, isMatch)
    }
    if (readFlag(query, 'sendInitialEvents')) yield present.bookmark(after, { 'k8s.io/initial-events-end': 'true' })
  }
  const wantsBookmarks = readFlag(query, 'allowWatchBookmarks')
  for await (const event of store.watch({
    resource: resourceName(kind),
    ...(namespace === undefined ? {} : { namespace }),
    after,
    signal,
  })) {
    if (event.type === 'bookmark') {
      if (wantsBookmarks) yield present.bookmark(event.resourceVersion)
      continue
    }
    const sent = selectEvent(event, selection, memory)
    if (sent !== undefined) yield present.event(sent)
  }
}

/**
 * The event as one sees it who looks only at what matches: an object that starts to match is added, one that stops is deleted.
 * `memory` says by UID whether an object matched when last seen. Where it does not know, a deletion is sent: one too many is harmless, one too few is not.
 */
export function selectEvent(
  event: Exclude<WatchEvent, { type: 'bookmark' }>,
  selection: Selection,
  memory: Map<string, boolean>,
): Sent | undefined {
  const { object } = event
  const { uid } = object.metadata
  const isMatch = selection.matches(object)
  if (selection.isLasting) return isMatch ? { type: wireType[event.type], object } : undefined
  const before = memory.get(uid)
  if (event.type === 'deleted') {
    memory.delete(uid)
    return isMatch || before === true ? { type: 'DELETED', object } : undefined
  }
  memory.set(uid, isMatch)
  if (isMatch) return { type: before === false || event.type === 'added' ? 'ADDED' : 'MODIFIED', object }
  return before === false || event.type === 'added' ? undefined : { type: 'DELETED', object }
}

const wireType = { added: 'ADDED', modified: 'MODIFIED', deleted: 'DELETED' } as const

/** Resource versions are opaque to clients; Kubernetes lets servers compare them as whole numbers (KEP-5504). */
function isUnchangedSince(object: Stored, version: string): boolean {
  const own = object.metadata.resourceVersion
  return /^\d+$/.test(own) && /^\d+$/.test(version) && BigInt(own) <= BigInt(version)
}

type Presenter = ReturnType<typeof createPresenter>

/** Events as lines. Tables name their columns once. */
function createPresenter({ clock }: WatchDeps, { kind, as }: WatchRequest) {
  let columns = true
  const line = (type: string, object: unknown) => `${JSON.stringify({ type, object })}\n`
  const table = (objects: Stored[], metadata: Record<string, unknown>) => {
    const include = as.kind === 'table' ? as.include : 'None'
    const value = tableOf(kind, objects, { nowMs: clock.now(), include, metadata, columns })
    columns = false
    return value
  }
  return {
    event({ type, object }: Sent): string {
      return line(type, as.kind === 'table' ? table([object], { resourceVersion: object.metadata.resourceVersion }) : object)
    },
    bookmark(resourceVersion: string, annotations?: Record<string, string>): string {
      const metadata = { resourceVersion, ...(annotations === undefined ? {} : { annotations }) }
      if (as.kind === 'table') return line('BOOKMARK', table([], metadata))
      return line('BOOKMARK', { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata })
    },
  }
}
