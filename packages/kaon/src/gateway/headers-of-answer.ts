import type { CallPlan } from './call-plan.ts'
import type { ServedRevision } from './served-revision.ts'

export type CallTimes = { /** It waited for a replica, not only for room. */ isCold: boolean; waitedMs: number; handlerMs: number }

/** What the gateway adds to the answer of a function. */
export function headersOfAnswer(plan: CallPlan, revision: ServedRevision, { isCold, waitedMs, handlerMs }: CallTimes): string[] {
  const headers = ['x-request-id', plan.head.requestId, 'kaon-function', revision.functionName, 'kaon-revision', revision.routed.name]
  for (const header of plan.addedHeaders) headers.push(header)
  if (plan.wantsTiming)
    headers.push('server-timing', `${isCold ? 'cold' : 'queue'};dur=${waitedMs.toFixed(1)}, handler;dur=${handlerMs.toFixed(1)}`)
  return headers
}
