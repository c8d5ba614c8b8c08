import type { Context } from './context.ts'
import type { Event } from './event.ts'

type ResultHeaders = Record<string, string | number | readonly string[] | undefined> | Headers

/**
 * A full answer: an object with no other keys than these, and among them a numeric `status` or a `headers` object. `body` is anything that
 * can be returned alone. Without a status it is 200, or 204 without a body; without a `content-type` the body decides.
 * Hop-by-hop and framing headers (`connection`, `content-length`, `transfer-encoding` …) are the platform's and are dropped.
 */
export type ResultObject =
  | { status: number; headers?: ResultHeaders; body?: unknown }
  | { status?: undefined; headers: ResultHeaders; body?: unknown }

/**
 * What a handler may return:
 *
 * - nothing: 204
 * - a string: `text/plain; charset=utf-8`; bytes: `application/octet-stream`
 * - a web `Response`, as it is
 * - a `ReadableStream`, a generator or anything async iterable: streamed as it comes; text as UTF-8, bytes as they are, other values as
 *   lines of JSON (`application/x-ndjson`). What is thrown before the first chunk is answered as an error; later the answer is cut off.
 * - `{ status, headers, body }`, see `ResultObject`
 * - any other value: JSON. So `{ status: 'ok' }` and `{ body: '…' }` are JSON.
 *
 * What cannot be sent (a status out of 200–599, a line break in a header, a circle, a BigInt) is answered 502 `response_invalid`.
 */
export type Result =
  | void
  | null
  | undefined
  | string
  | number
  | boolean
  | Uint8Array
  | ArrayBuffer
  | Response
  | ReadableStream<unknown>
  | AsyncIterable<unknown>
  | ResultObject
  | object

/**
 * A function: `export default` it. An error with a numeric `status` from 400 to 599, as `HttpError` has, is answered with it; any other
 * is a 500 that tells the caller nothing and stands in the log.
 *
 * @example
 * ```ts
 * import { type Handler, HttpError } from '@kaon/sdk'
 *
 * const greet: Handler = (event) => {
 *   const name = event.query.get('name')
 *   if (name === null) throw new HttpError(400, "Say who you are: '?name='.")
 *   return { hello: name }
 * }
 * export default greet
 *
 * greet({ query: new URLSearchParams('name=Ada') } as never, {} as never) // { hello: 'Ada' }
 * ```
 */
export type Handler = (event: Event, context: Context) => Result | Promise<Result>

/**
 * Optional, `export` it as `init`: called and awaited once in each worker, before its first event. When it throws the worker does not start.
 *
 * @example
 * ```ts
 * import type { Handler, Init } from '@kaon/sdk'
 *
 * export const init: Init = (context) => {
 *   context.userData['greeting'] = 'hello'
 * }
 * const greet: Handler = (_event, context) => context.userData['greeting'] as string
 *
 * const context = { userData: {} } as never
 * init(context)
 * greet({} as never, context) // 'hello'
 * ```
 */
export type Init = (context: Context) => void | Promise<void>

/** Context of a fetch handler. `passThroughOnException` does nothing here: a failure is always answered by the platform. */
export type FetchContext = Context & { passThroughOnException(): void }

/**
 * The web-standard form: `export default` an object with a `fetch` method, as Hono and itty-router make it. `env` holds the function's
 * environment and, under names it has not, its secrets. The request's body is a stream.
 *
 * @example
 * ```ts
 * import type { FetchHandler } from '@kaon/sdk'
 *
 * const api: FetchHandler = {
 *   fetch: (request) => new Response(new URL(request.url).pathname),
 * }
 * export default api
 *
 * await (await api.fetch(new Request('http://localhost/a/b'), {}, {} as never)).text() // '/a/b'
 * ```
 */
export type FetchHandler = {
  fetch(request: Request, env: Record<string, string>, context: FetchContext): Response | Promise<Response>
}
