import { asKaonError, type ErrorCode, type FieldError, KaonError } from '../base/errors.ts'
import { problemContentType, toProblem } from '../base/problem.ts'
import { kinds } from '../model/kinds.ts'

/** Kubernetes's words for our codes; a code without one is written in CamelCase. */
const reasons: Partial<Record<ErrorCode, string>> = {
  invalid_request: 'BadRequest',
  config_invalid: 'BadRequest',
  validation_failed: 'Invalid',
  not_found: 'NotFound',
  already_exists: 'AlreadyExists',
  conflict: 'Conflict',
  expired: 'Expired',
  unauthorized: 'Unauthorized',
  forbidden: 'Forbidden',
  origin_refused: 'Forbidden',
  method_not_allowed: 'MethodNotAllowed',
  not_acceptable: 'NotAcceptable',
  unsupported_media_type: 'UnsupportedMediaType',
  body_too_large: 'RequestEntityTooLarge',
  timed_out: 'Timeout',
  store_unavailable: 'ServiceUnavailable',
  internal: 'InternalError',
}

const causeReasons: Record<FieldError['reason'], string> = {
  required: 'FieldValueRequired',
  invalid: 'FieldValueInvalid',
  unknown: 'FieldValueForbidden',
  not_available: 'FieldValueForbidden',
  immutable: 'FieldValueInvalid',
}

/** Kubernetes's Status object of an error. */
export function statusOf(thrown: unknown): Record<string, unknown> {
  const error = asKaonError(thrown)
  const details = detailsOf(error)
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.hint === undefined ? error.message : `${error.message} ${error.hint}`,
    reason: reasons[error.code] ?? error.code.replace(/(^|_)([a-z])/g, (_all, _start, letter: string) => letter.toUpperCase()),
    ...(Object.keys(details).length === 0 ? {} : { details }),
    code: error.status,
  }
}

function detailsOf(error: KaonError): Record<string, unknown> {
  const { about, fields, retryAfterSeconds } = error
  const group = kinds.find((kind) => kind.kind === about?.kind || kind.plural === about?.kind)?.group
  return {
    ...(about === undefined ? {} : { name: about.name, ...(group ? { group } : {}), kind: about.kind }),
    ...(fields === undefined
      ? {}
      : { causes: fields.map((f) => ({ reason: causeReasons[f.reason], message: f.message, field: f.field })) }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  }
}

/** The one place where the API turns an error into an answer: a Status under /api and /apis, a problem elsewhere. */
export function errorResponse(thrown: unknown, path: string, instance?: string): Response {
  const error = asKaonError(thrown)
  const isKubernetes = /^\/apis?(\/|$)/.test(path)
  const headers = new Headers({
    'content-type': isKubernetes ? 'application/json' : problemContentType,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  if (error.code === 'unauthorized') headers.set('www-authenticate', 'Bearer')
  if (error.retryAfterSeconds !== undefined) headers.set('retry-after', String(error.retryAfterSeconds))
  // What is left of a refused body is not worth reading.
  if (error.code === 'body_too_large') headers.set('connection', 'close')
  const body = isKubernetes ? statusOf(error) : toProblem(error, instance)
  return new Response(JSON.stringify(body), { status: error.status, headers })
}

/** The answer to a method that is none of `allowed`. */
export function methodNotAllowed(method: string, path: string, allowed: readonly string[]): Response {
  const error = new KaonError('method_not_allowed', `${method} is not allowed here.`, { hint: `Allowed: ${allowed.join(', ')}.` })
  const response = errorResponse(error, path)
  response.headers.set('allow', allowed.join(', '))
  return response
}
