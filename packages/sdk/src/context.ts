/** Writes to the function's log; lines carry the request's id. What is printed by `console` and to stdout and stderr goes there too. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

/** Custom metrics, shown with the function's own at `/metrics`. Names as Prometheus has them; at most 100 series a worker. */
export interface Metrics {
  /** Adds `by` (default 1) to a counter. */
  counter(name: string, by?: number, labels?: Record<string, string>): void
  /** Sets a gauge. */
  gauge(name: string, value: number, labels?: Record<string, string>): void
  /** Observes a value of a histogram (seconds, unless the name says otherwise). */
  histogram(name: string, value: number, labels?: Record<string, string>): void
}

/** W3C trace context of the call. */
export type Trace = { traceparent: string; tracestate: string | undefined }

export interface Context {
  readonly logger: Logger
  readonly metrics: Metrics
  /** Values of the secrets that the function names, by `secret.key`. */
  readonly secrets: Readonly<Record<string, string>>
  /** Not there yet: every use throws `not_available`. */
  readonly bindings: Readonly<Record<string, unknown>>
  /** Aborted at the deadline, and when the caller goes away. */
  readonly signal: AbortSignal
  /** When the call must be answered, ms since 1970. */
  readonly deadline: number
  readonly requestId: string
  readonly trace: Trace
  readonly function: string
  readonly revision: string
  readonly namespace: string
  /** Index of this worker in its replica. */
  readonly worker: number
  /** Yours, one for each worker: fill it in `init`. */
  readonly userData: Record<string, unknown>
  /**
   * Calls another function through the gateway and returns its answer, whatever its status. `functionName` is `name`, or `namespace/name`.
   * Without a payload it is a GET, with one a POST: text as `text/plain`, bytes and streams as `application/octet-stream`, anything else as
   * JSON. The call has this call's request id and trace, what is left of its deadline, and ends with its signal. Rejects with a
   * `server_unreachable` (503) when the gateway does not answer, and with 508 when functions call each other more than 16 levels deep.
   */
  invoke(
    functionName: string,
    payload?: unknown,
    options?: { method?: string; path?: string; headers?: Record<string, string>; signal?: AbortSignal },
  ): Promise<Response>
  /** Not there yet: throws `not_available`. */
  publish(topic: string, event: unknown): Promise<void>
  /** Keeps the worker alive for work that goes on after the answer, at most for the function's timeout. When it rejects, that is logged. */
  waitUntil(promise: Promise<unknown>): void
}
