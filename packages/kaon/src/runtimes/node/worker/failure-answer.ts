import { STATUS_CODES } from 'node:http'
import { isKaonError, KaonError } from '../../../base/errors.ts'
import { problemContentType, toProblem } from '../../../base/problem.ts'
import type { Answer } from './answer.ts'
import { flattenHeaders } from './answer-headers.ts'

const problemType = ['content-type', problemContentType] as const

/** Problem+json for one of our own errors. */
export function problemAnswer(error: KaonError, requestId: string): Answer {
  const retry = error.retryAfterSeconds === undefined ? [] : ['retry-after', String(error.retryAfterSeconds)]
  return { status: error.status, headers: [...problemType, ...retry], body: JSON.stringify(toProblem(error, requestId)) }
}

/** The status of an error that says how it wants to be answered, as `HttpError` does. */
export function statusOf(thrown: unknown): number | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('status' in thrown)) return undefined
  const { status } = thrown
  return typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599 ? status : undefined
}

/** The answer for what a handler threw. Its words reach the caller only when it carries a status; else they may hold anything. */
export function failureAnswer(thrown: unknown, requestId: string): Answer {
  if (isKaonError(thrown)) return problemAnswer(thrown, requestId)
  const status = statusOf(thrown)
  if (status === undefined) return problemAnswer(new KaonError('handler_error', 'The function failed; its log says why.'), requestId)
  const { message, headers } = thrown as { message?: unknown; headers?: unknown }
  const problem = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: String(message ?? ''),
    instance: requestId,
  }
  return { status, headers: [...problemType, ...extraHeaders(headers)], body: JSON.stringify(problem) }
}

/** An error's own headers, when they are headers: other libraries keep other things under that name. */
function extraHeaders(headers: unknown): string[] {
  if (typeof headers !== 'object' || headers === null) return []
  try {
    const flat = flattenHeaders(headers)
    return flat.filter((_, i) => flat[i - (i % 2)] !== 'content-type')
  } catch {
    return []
  }
}
