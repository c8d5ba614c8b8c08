import type { Context } from './context.ts'
import type { Event } from './event.ts'

export type ResultObject = { status?: number; headers?: Record<string, string | string[]>; body?: unknown }

/** What a handler may return: nothing (204), text, bytes, JSON, `{ status, headers, body }`, a web `Response`, or a stream. */
export type Result =
  | void
  | null
  | undefined
  | string
  | Uint8Array
  | ArrayBuffer
  | number
  | boolean
  | object
  | Response
  | ReadableStream<unknown>
  | AsyncIterable<unknown>
  | ResultObject

export type Handler = (event: Event, context: Context) => Result | Promise<Result>

/** Optional, once in each worker, before the first event. */
export type Init = (context: Context) => void | Promise<void>

/** The web-standard form: `export default { fetch }`. `env` holds the function's environment and secrets. */
export type FetchHandler = {
  fetch(request: Request, env: Record<string, string>, context: Context & { passThroughOnException(): void }): Response | Promise<Response>
}
