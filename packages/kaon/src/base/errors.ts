/** Everything that can go wrong, once: code → HTTP status, title, and whether the same call may succeed later. */
export const errorTable = {
  // What a caller of the API or the command line did
  usage: { status: 400, title: 'Used wrongly', retryable: false },
  invalid_request: { status: 400, title: 'The request cannot be understood', retryable: false },
  config_invalid: { status: 400, title: 'A file cannot be read as configuration', retryable: false },
  validation_failed: { status: 422, title: 'The resource is not valid', retryable: false },
  not_found: { status: 404, title: 'No such thing', retryable: false },
  already_exists: { status: 409, title: 'It exists already', retryable: false },
  conflict: { status: 409, title: 'It was changed by somebody else', retryable: true },
  expired: { status: 410, title: 'That point in history is no longer kept', retryable: false },
  unauthorized: { status: 401, title: 'Not signed in', retryable: false },
  forbidden: { status: 403, title: 'Not allowed', retryable: false },
  host_refused: { status: 421, title: 'This address is not served here', retryable: false },
  origin_refused: { status: 403, title: 'Pages of another origin may not call this', retryable: false },
  method_not_allowed: { status: 405, title: 'Method not allowed', retryable: false },
  not_acceptable: { status: 406, title: 'No such representation', retryable: false },
  unsupported_media_type: { status: 415, title: 'Content type not supported', retryable: false },
  request_timeout: { status: 408, title: 'The request took too long to arrive', retryable: true },
  body_too_large: { status: 413, title: 'The body is too large', retryable: false },
  headers_too_large: { status: 431, title: 'The headers are too large', retryable: false },
  loop_detected: { status: 508, title: 'Functions call each other in a circle', retryable: false },
  not_available: { status: 501, title: 'Not available yet', retryable: false },
  // Builds
  source_missing: { status: 422, title: 'The source is missing', retryable: false },
  checksum_mismatch: { status: 422, title: 'The content is not what its checksum says', retryable: false },
  archive_unsafe: { status: 422, title: 'The archive is not safe to unpack', retryable: false },
  archive_too_large: { status: 413, title: 'The archive is too large', retryable: false },
  handler_missing: { status: 422, title: 'The handler file is missing', retryable: false },
  lock_file_missing: { status: 422, title: 'The lock file is missing', retryable: false },
  dependencies_failed: { status: 422, title: 'The dependencies could not be installed', retryable: false },
  build_failed: { status: 422, title: 'The build failed', retryable: false },
  // Functions and their replicas
  handler_invalid: { status: 422, title: 'The handler is not a function', retryable: false },
  start_failed: { status: 503, title: 'The function did not start', retryable: true },
  route_not_found: { status: 404, title: 'Nothing is served here', retryable: false },
  revision_not_ready: { status: 503, title: 'No revision is ready', retryable: true },
  no_replica: { status: 503, title: 'No replica is ready', retryable: true },
  overloaded: { status: 503, title: 'Too many requests are waiting', retryable: true },
  control_plane_away: { status: 503, title: 'The control plane is away', retryable: true },
  handler_error: { status: 500, title: 'The function failed', retryable: false },
  handler_timeout: { status: 504, title: 'The function took too long', retryable: false },
  worker_lost: { status: 502, title: 'The worker running this call was lost', retryable: false },
  response_invalid: { status: 502, title: 'The function answered something that cannot be sent', retryable: false },
  client_gone: { status: 499, title: 'The caller went away', retryable: false },
  // The machine
  port_in_use: { status: 500, title: 'The port is in use', retryable: false },
  data_read_only: { status: 500, title: 'The data folder cannot be written', retryable: false },
  data_full: { status: 507, title: 'The disk is full', retryable: true },
  data_locked: { status: 500, title: 'Another platform uses this data folder', retryable: false },
  data_newer: { status: 500, title: 'The data folder is of a newer version', retryable: false },
  store_unavailable: { status: 503, title: 'The store cannot be written now', retryable: true },
  server_unreachable: { status: 503, title: 'The server cannot be reached', retryable: true },
  timed_out: { status: 504, title: 'It took too long', retryable: true },
  protocol_error: { status: 502, title: 'The other side does not keep to the protocol', retryable: false },
  internal: { status: 500, title: 'Something went wrong inside the platform', retryable: false },
} as const satisfies Record<string, { status: number; title: string; retryable: boolean }>

export type ErrorCode = keyof typeof errorTable

/** One wrong field of a resource: where, what is wrong, and what was given. */
export type FieldError = {
  field: string
  message: string
  value?: unknown
  reason: 'required' | 'invalid' | 'unknown' | 'not_available' | 'immutable'
}

export type KaonErrorOptions = {
  /** What to try, one sentence. */
  hint?: string
  fields?: FieldError[]
  cause?: unknown
  retryAfterSeconds?: number
  /** Of the answer, where the code's own would blame the wrong one: who calls a function whose build failed did nothing wrong. */
  status?: number
  /** Kind and name of the resource it is about. */
  about?: { kind: string; name: string }
}

/** The one error that crosses our own seams. Test `error.code`, never `instanceof`, across packages. */
export class KaonError extends Error {
  override readonly name = 'KaonError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly fields: FieldError[] | undefined
  readonly retryAfterSeconds: number | undefined
  readonly about: { kind: string; name: string } | undefined
  readonly status: number

  constructor(code: ErrorCode, message: string, options: KaonErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.fields = options.fields
    this.retryAfterSeconds = options.retryAfterSeconds
    this.about = options.about
    this.status = options.status ?? errorTable[code].status
  }
}

/** True for an error that carries one of our codes, whichever package made it. */
export function isKaonError(error: unknown): error is KaonError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && Object.hasOwn(errorTable, error.code)
}

/** Ours as it is; anything else as an opaque `internal`, since its message may hold secrets. The original is the cause. */
export function asKaonError(error: unknown): KaonError {
  return isKaonError(error)
    ? error
    : new KaonError('internal', 'Something went wrong inside the platform.', { cause: error, hint: 'See the platform log.' })
}
