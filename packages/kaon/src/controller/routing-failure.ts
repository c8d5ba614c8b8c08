import { type ErrorCode, errorTable } from '../base/errors.ts'
import type { FunctionResource } from '../model/function.ts'
import { type Condition, findCondition, type Stored } from '../model/metadata.ts'
import { type RevisionResource, revisionNumber } from '../model/revision.ts'
import type { RoutedFunction } from '../model/routing-table.ts'

/** Reasons of a revision that is not ready, and that nothing is done about either. */
const givenUp: readonly string[] = ['Superseded', 'NotNeeded']

/**
 * Why no revision of a function is ready, in words for strangers: the kind of failure, and nothing of what the author wrote or logged.
 * `revision_not_ready` while one is being built or started, so that calls wait for it.
 */
export function notReady(
  fn: Stored<FunctionResource>,
  revisions: readonly Stored<RevisionResource>[],
): NonNullable<RoutedFunction['notReady']> {
  const newest = revisions.toSorted((a, b) => revisionNumber(a.metadata.name) - revisionNumber(b.metadata.name)).at(-1)
  if (newest === undefined) return { code: 'revision_not_ready', message: 'The function has no revision yet.' }
  const code = failureOf(newest)
  if (code === undefined || revisions.some(isOnItsWay))
    return { code: 'revision_not_ready', message: `Revision '${newest.metadata.name}' is being built or started.` }
  const { name, namespace = 'default' } = fn.metadata
  const where = namespace === 'default' ? '' : ` --namespace ${namespace}`
  return { code, message: `${errorTable[code].title}; see 'kaon describe function ${name}${where}'.` }
}

function failureOf({ status }: Stored<RevisionResource>): ErrorCode | undefined {
  const built = findCondition(status?.conditions, 'Built')
  if (built?.status === 'False') return codeOf(built, 'build_failed')
  const started = findCondition(status?.conditions, 'Started')
  return started?.status === 'False' ? codeOf(started, 'start_failed') : undefined
}

/** Reasons are codes of the error table as Kubernetes writes words, but for some that have no code of their own. */
function codeOf({ reason }: Condition, otherwise: ErrorCode): ErrorCode {
  const code = reason.replace(/[A-Z]/g, (letter, at) => `${at === 0 ? '' : '_'}${letter.toLowerCase()}`)
  return Object.hasOwn(errorTable, code) && code !== 'internal' ? (code as ErrorCode) : otherwise
}

function isOnItsWay({ status }: Stored<RevisionResource>): boolean {
  const ready = findCondition(status?.conditions, 'Ready')
  return ready === undefined || (ready.status === 'Unknown' && !givenUp.includes(ready.reason))
}
