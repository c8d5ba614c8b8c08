import { Agent, type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { HttpError, type Trace } from '@kaon/sdk'
import { KaonError } from '../../../base/errors.ts'
import { toHeaders } from './call-event.ts'

/** Functions that call functions that call functions …: more is a circle. */
const maxDepth = 16
const namePattern = /^(?:[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\/)?[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/

export type InvokeOptions = { method?: string; path?: string; headers?: Record<string, string>; signal?: AbortSignal }

export type Invocation = {
  /** `name`, or `namespace/name`. */
  function: string
  payload: unknown
  options: InvokeOptions
  requestId: string
  trace: Trace
  depth: number
  remainingMs: number
  signal: AbortSignal
}

export interface Invoker {
  invoke(invocation: Invocation): Promise<Response>
}

type Body = { type: string | undefined; bytes: string | Uint8Array | ReadableStream | undefined }

/** Calls other functions through the gateway's unix socket, over kept-alive connections. */
export function createInvoker(gatewaySocket: string, namespace: string): Invoker {
  const agent = new Agent({ keepAlive: true, maxSockets: 256, maxFreeSockets: 8 })
  return {
    async invoke(invocation) {
      const target = targetOf(invocation, namespace)
      if (invocation.depth >= maxDepth)
        throw new HttpError(508, `Functions call each other more than ${maxDepth} levels deep: '${invocation.function}' is not called.`)
      const body = bodyOf(invocation.payload)
      const { signal: ownSignal } = invocation.options
      const signal = ownSignal === undefined ? invocation.signal : AbortSignal.any([invocation.signal, ownSignal])
      signal.throwIfAborted()
      const method = invocation.options.method ?? (body.bytes === undefined ? 'GET' : 'POST')
      const outgoing = request({ agent, socketPath: gatewaySocket, path: target, method, headers: headersOf(invocation, body), signal })
      const answered = new Promise<IncomingMessage>((resolve, reject) => {
        outgoing.once('response', resolve)
        outgoing.once('error', (cause) => reject(failure(cause, signal, invocation.function)))
      })
      outgoing.on('error', () => undefined)
      if (body.bytes instanceof ReadableStream) void pipeline(Readable.fromWeb(body.bytes as never), outgoing).catch(() => undefined)
      else outgoing.end(body.bytes)
      return toResponse(await answered)
    },
  }
}

function targetOf(invocation: Invocation, ownNamespace: string): string {
  if (!namePattern.test(invocation.function))
    throw new TypeError(`'${invocation.function}' is no function's name; wanted 'name' or 'namespace/name'.`)
  const [name, namespace = ownNamespace] = invocation.function.split('/').reverse() as [string, string?]
  const path = invocation.options.path ?? '/'
  if (/[^\x21-\x7e]/.test(path)) throw new TypeError(`The path '${path}' has characters that an address cannot have; encode them.`)
  return `/fn/${namespace}/${name}${path.startsWith('/') ? '' : '/'}${path}`
}

function headersOf(invocation: Invocation, body: Body): Record<string, string> {
  return {
    ...(body.type === undefined ? {} : { 'content-type': body.type }),
    ...Object.fromEntries(Object.entries(invocation.options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])),
    host: 'localhost',
    ...(invocation.requestId === '' ? {} : { 'x-request-id': invocation.requestId }),
    traceparent: invocation.trace.traceparent,
    ...(invocation.trace.tracestate === undefined ? {} : { tracestate: invocation.trace.tracestate }),
    'kaon-depth': String(invocation.depth + 1),
    'kaon-timeout-ms': String(Math.max(1, Math.floor(invocation.remainingMs))),
  }
}

function bodyOf(payload: unknown): Body {
  if (payload === undefined) return { type: undefined, bytes: undefined }
  if (typeof payload === 'string') return { type: 'text/plain; charset=utf-8', bytes: payload }
  if (payload instanceof Uint8Array) return { type: 'application/octet-stream', bytes: payload }
  if (payload instanceof ArrayBuffer) return { type: 'application/octet-stream', bytes: new Uint8Array(payload) }
  if (payload instanceof ReadableStream) return { type: 'application/octet-stream', bytes: payload }
  return { type: 'application/json', bytes: JSON.stringify(payload) }
}

function failure(cause: Error, signal: AbortSignal, name: string): unknown {
  if (signal.aborted) return signal.reason
  return new KaonError('server_unreachable', `The function '${name}' could not be called: the gateway does not answer.`, { cause })
}

function toResponse(message: IncomingMessage): Response {
  const status = message.statusCode as number
  const hasBody = status !== 204 && status !== 205 && status !== 304
  if (!hasBody) message.resume()
  const body = hasBody ? (Readable.toWeb(message) as ReadableStream<Uint8Array>) : null
  return new Response(body, { status, statusText: message.statusMessage ?? '', headers: toHeaders(message.rawHeaders) })
}
