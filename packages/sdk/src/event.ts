/** Which trigger an event came by. */
export type TriggerInfo = {
  /** Kind of the trigger, as in `http`. */
  kind: string
  /** Its name in the function's spec. */
  name: string
  /** 1 for the first delivery. */
  attempt: number
  partition?: string
  offset?: string
}

/** A CloudEvents 1.0 event, whatever it came from. Everything is made when it is first asked for. */
export interface Event {
  /** CloudEvents id; the request id for a plain HTTP call. */
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string | undefined
  /** RFC 3339. */
  readonly time: string
  readonly datacontenttype: string | undefined
  /** Case-insensitive; of an HTTP call its request headers. */
  readonly headers: Headers
  /** The whole body as bytes, at most 32 MiB (else the caller has a 413 before the handler is called). A view: copy what you keep beyond the call. */
  readonly body: Uint8Array
  /** The body as UTF-8 text. */
  text(): string
  /** The body as JSON. Throws an `HttpError` 400 that says where the text is broken. */
  json<T = unknown>(): T
  /**
   * The body as it arrives, of any size, when the module says `export const streamBody = true`; `body`, `text()` and `json()` then throw a
   * `TypeError`. Without it, the whole body as a stream. The sender waits while nobody reads.
   */
  readonly stream: ReadableStream<Uint8Array>
  /** HTTP only: the method, as in `GET`; otherwise `POST`. */
  readonly method: string
  /** HTTP only: the path below the function's address, beginning with a slash. */
  readonly path: string
  readonly query: URLSearchParams
  readonly trigger: TriggerInfo
}
