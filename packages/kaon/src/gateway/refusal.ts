import { asKaonError, errorTable } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { problemContentType, toProblem } from '../base/problem.ts'

/** An answer of the gateway's own to something that cannot be served. */
export type Refusal = { status: number; headers: string[]; body: Buffer; code: keyof typeof errorTable }

/** The one place of the gateway that turns an error into an answer. What nobody foresaw is logged, since the answer says nothing of it. */
export function refusalOf(thrown: unknown, requestId: string | undefined, log: Pick<Log, 'error'>): Refusal {
  const error = asKaonError(thrown)
  if (error.code === 'internal') log.error('A request failed for a reason of our own.', { requestId, error: error.cause ?? error })
  const headers = ['content-type', problemContentType, 'cache-control', 'no-store']
  if (requestId !== undefined) headers.push('x-request-id', requestId)
  const { status } = error
  if ((status === 503 && errorTable[error.code].retryable) || error.retryAfterSeconds !== undefined)
    headers.push('retry-after', String(error.retryAfterSeconds ?? 1))
  if (status === 401) headers.push('www-authenticate', 'ApiKey')
  return { status, headers, body: Buffer.from(JSON.stringify(toProblem(error, requestId))), code: error.code }
}
