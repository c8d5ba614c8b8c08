import { type ErrorCode, errorTable, type FieldError, KaonError, type KaonErrorOptions } from '../base/errors.ts'

/** The parts of a Kubernetes `Status` and of problem+json that say what went wrong. */
type ErrorBody = {
  kind?: unknown
  message?: unknown
  reason?: unknown
  detail?: unknown
  code?: unknown
  hint?: unknown
  errors?: unknown
  details?: { name?: string; kind?: string; causes?: { field?: string; message?: string; reason?: string }[]; retryAfterSeconds?: number }
}

const byReason: Record<string, ErrorCode> = {
  Invalid: 'validation_failed',
  BadRequest: 'invalid_request',
  Gone: 'expired',
  Timeout: 'timed_out',
  RequestEntityTooLarge: 'body_too_large',
}
const byStatus: Record<number, ErrorCode> = {
  400: 'invalid_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  410: 'expired',
  413: 'body_too_large',
  422: 'validation_failed',
  501: 'not_available',
  503: 'store_unavailable',
  504: 'timed_out',
}

/**
 * The error behind an answer with a status of 400 or more, whether it is a Status, a problem or neither.
 * `path` is what was asked for: it says the namespace in which something was not found.
 */
export function errorOfAnswer(status: number, contentType: string | undefined, text: string, path = ''): KaonError {
  const body = contentType?.includes('json') ? parseObject(text) : undefined
  if (body === undefined) {
    const said = text.trim().slice(0, 500)
    return new KaonError(byStatus[status] ?? 'internal', `The server answered ${status}${said === '' ? '.' : `: ${said}`}`)
  }
  const options: KaonErrorOptions = {}
  if (typeof body.hint === 'string') options.hint = body.hint
  const fields = fieldErrors(body)
  if (fields.length > 0) options.fields = fields
  if (body.details?.retryAfterSeconds !== undefined) options.retryAfterSeconds = body.details.retryAfterSeconds
  const message =
    typeof body.message === 'string' ? body.message : typeof body.detail === 'string' ? body.detail : `The server answered ${status}.`
  return new KaonError(codeOf(body, status), inOurWords(message, path), options)
}

/** Kubernetes's `functions.kaon.dev "x" not found` as commands say it themselves; every other message as it is. */
function inOurWords(message: string, path: string): string {
  const [, plural, name] = /^([a-z]+)(?:\.[a-z0-9.-]+)? "([^"]*)" not found$/.exec(message) ?? []
  if (plural === undefined || name === undefined) return message
  const namespace = plural === 'namespaces' ? undefined : /\/namespaces\/([^/?]+)\/./.exec(path)?.[1]
  return notFoundMessage(
    plural.replace(/ies$/, 'y').replace(/s$/, ''),
    name,
    namespace === undefined ? undefined : decodeURIComponent(namespace),
  )
}

/** The one wording for what is not there. `kind` in lower case, as in `configmap`. */
export function notFoundMessage(kind: string, name: string, namespace: string | undefined): string {
  return `There is no ${kind} '${name}'${namespace === undefined ? '' : ` in namespace '${namespace}'`}.`
}

function codeOf(body: ErrorBody, status: number): ErrorCode {
  if (typeof body.code === 'string' && Object.hasOwn(errorTable, body.code)) return body.code as ErrorCode
  const reason = String(body.reason)
  // A code without a word of Kubernetes's own comes in CamelCase.
  const ours = reason.replace(/(?!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase()
  if (Object.hasOwn(errorTable, ours)) return ours as ErrorCode
  return byReason[reason] ?? byStatus[status] ?? 'internal'
}

function fieldErrors(body: ErrorBody): FieldError[] {
  if (Array.isArray(body.errors)) return body.errors as FieldError[]
  return (body.details?.causes ?? []).map(({ field = '', message = '', reason = '' }) => ({
    field,
    message,
    reason: reason === 'FieldValueRequired' ? 'required' : 'invalid',
  }))
}

function parseObject(text: string): ErrorBody | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
