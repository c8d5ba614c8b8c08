import { Readable } from 'node:stream'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { KaonError } from '../base/errors.ts'
import type { IncomingMessage, Network } from '../base/system.ts'

/** Headers that belong to one connection, or that the gateway writes itself. */
const notPassedOn = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
])
const withoutBody = new Set([101, 204, 205, 304])

export type InvokeDeps = {
  network: Pick<Network, 'httpRequest'>
  gatewaySocket: string
  /** Whether `authorization` is the API's own and no business of the function. */
  stripsAuthorization: boolean
}

export type InvokeQuery = { namespace: string; function: string; path: string; request: Request }

/** Calls a function through the gateway, both bodies streamed. Throws `server_unreachable` when the gateway is not there. */
export function createInvoke({ network, gatewaySocket, stripsAuthorization }: InvokeDeps): (query: InvokeQuery) => Promise<Response> {
  return ({ namespace, function: name, path, request }) =>
    new Promise((resolve, reject) => {
      const headers: Record<string, string> = { host: 'localhost' }
      for (const [header, value] of request.headers)
        if (!notPassedOn.has(header) && !(stripsAuthorization && header === 'authorization')) headers[header] = value
      const target = `/fn/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}${path}`
      const outgoing = network.httpRequest({ socketPath: gatewaySocket, path: target, method: request.method, headers })
      const stop = () => outgoing.destroy()
      request.signal.addEventListener('abort', stop, { once: true })
      outgoing.on('close', () => request.signal.removeEventListener('abort', stop))
      outgoing.on('error', (cause) => {
        reject(
          new KaonError('server_unreachable', 'The gateway does not answer.', { hint: 'It is started again at once; try again.', cause }),
        )
      })
      outgoing.on('response', (incoming) => resolve(toResponse(incoming, request.method)))
      if (request.body === null) outgoing.end()
      else
        Readable.fromWeb(request.body as NodeReadableStream)
          .on('error', stop)
          .pipe(outgoing)
    })
}

function toResponse(incoming: IncomingMessage, method: string): Response {
  const headers = new Headers()
  const raw = incoming.rawHeaders
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string
    if (!notPassedOn.has(name.toLowerCase())) headers.append(name, raw[index + 1] as string)
  }
  const status = incoming.statusCode ?? 502
  if (method !== 'HEAD' && !withoutBody.has(status)) return new Response(Readable.toWeb(incoming) as ReadableStream, { status, headers })
  incoming.resume()
  return new Response(null, { status, headers })
}
