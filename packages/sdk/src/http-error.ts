/**
 * Throw it to answer with a status of your choice, as problem+json (RFC 9457). `message` is shown to the caller.
 *
 * @example
 * ```ts
 * import { HttpError } from '@kaon/sdk'
 * const error = new HttpError(404, 'no such thing')
 * error.status // 404
 * ```
 */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  /** HTTP status, 400 to 599. */
  readonly status: number
  /** Headers of the answer. */
  readonly headers: Record<string, string>

  constructor(status: number, message: string, options: { headers?: Record<string, string>; cause?: unknown } = {}) {
    if (!Number.isInteger(status) || status < 400 || status > 599)
      throw new RangeError(`HttpError takes a status from 400 to 599, not ${status}`)
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.status = status
    this.headers = options.headers ?? {}
  }
}
