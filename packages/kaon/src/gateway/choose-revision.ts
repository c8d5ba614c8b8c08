import { type ErrorCode, errorTable, KaonError } from '../base/errors.ts'
import type { RoutedRevision } from '../model/routing-table.ts'
import type { CompiledFunction, Router } from './router.ts'
import { chooseWeighted } from './weighted-choice.ts'

/** What a call asked for; it stays the same when the table changes under it. */
export type Wanted = {
  namespace: string
  name: string
  /** A revision that must be the one: a destination names it. */
  pinnedUid?: string
  /** A tag that must be there: the address names it. */
  tag?: string
  /** Asked for by header: chosen where it exists. */
  preferredTag?: string
  preferredRevision?: string
}

export type Choice =
  | { kind: 'revision'; revision: RoutedRevision }
  /** Nothing is ready yet, and nothing says that it will not be. */
  | { kind: 'wait' }
  | { kind: 'refuse'; error: KaonError }

/** The revision that takes a call, as the table stands. `draw` is at least 0 and less than 1. */
export function chooseRevision(router: Router, wanted: Wanted, draw: number): Choice {
  const fn = router.function(wanted.namespace, wanted.name)
  if (fn === undefined) return refuse('route_not_found', `There is no function '${wanted.name}' in namespace '${wanted.namespace}'.`)
  if (wanted.pinnedUid !== undefined) {
    const pinned = router.revision(wanted.pinnedUid)
    if (pinned !== undefined) return { kind: 'revision', revision: pinned }
    return refuse('revision_not_ready', `The route names a revision of '${fn.name}' that is not there.`)
  }
  if (wanted.tag !== undefined) {
    const tagged = fn.tagged.get(wanted.tag)
    if (tagged !== undefined) return { kind: 'revision', revision: tagged }
    return refuse('route_not_found', `The function '${fn.name}' has no tag '${wanted.tag}'.`)
  }
  const preferred = preferredRevision(fn, wanted)
  if (preferred !== undefined) return { kind: 'revision', revision: preferred }
  const share = chooseWeighted(fn.shares, draw)
  if (share !== undefined) return { kind: 'revision', revision: share.revision }
  return notReady(fn)
}

function preferredRevision(fn: CompiledFunction, { preferredTag, preferredRevision }: Wanted): RoutedRevision | undefined {
  if (preferredRevision !== undefined) return fn.named.get(preferredRevision)
  return preferredTag === undefined ? undefined : fn.tagged.get(preferredTag)
}

/** `revision_not_ready` is a function on its way; any other code is why it will not come by itself. */
function notReady({ name, notReady: why }: CompiledFunction): Choice {
  if (why === undefined || why.code === 'revision_not_ready') return { kind: 'wait' }
  // A newer control plane may name a code that this gateway does not know.
  const code = Object.hasOwn(errorTable, why.code) ? (why.code as ErrorCode) : 'revision_not_ready'
  return { kind: 'refuse', error: new KaonError(code, `The function '${name}' is not ready: ${why.message}`, { status: 503 }) }
}

function refuse(code: ErrorCode, message: string): Choice {
  return { kind: 'refuse', error: new KaonError(code, message) }
}
