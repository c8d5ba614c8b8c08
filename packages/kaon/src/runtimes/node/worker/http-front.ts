import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { KaonError } from '../../../base/errors.ts'
import { Call } from './call.ts'
import type { CallRunner } from './call-runner.ts'
import type { Counters } from './counters.ts'
import type { Listener } from './frame-server.ts'
import { connectionOf, watchConnections } from './http-connections.ts'
import { HttpExchange } from './http-exchange.ts'
import { maxBodyBytes } from './request-body.ts'

const maxHeadBytes = 32_768
const windowBytes = 262_144
/** A request without a body needs no stream that ends: 5 % less time for each of them. Idle connections are seen to in `watchConnections`. */
const serverOptions = { maxHeaderSize: maxHeadBytes, keepAliveTimeout: 0, requestTimeout: 0, noDelay: true, optimizeEmptyRequests: true }
const requestIdPattern = /^[\x21-\x7e]{1,128}$/

export type HttpFrontDeps = { runner: CallRunner; counters: Counters; streamBody: boolean }

/** Serves plain HTTP in the worker's own thread: `kaon run`, and a processor on its own. Resolves with the server and the port it got. */
export function listenHttp(deps: HttpFrontDeps, at: { host: string; port: number }): Promise<Listener & { port: number }> {
  const accept = createAccept(deps)
  const server = createServer(serverOptions, accept)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (deps.streamBody || !(Number(request.headers['content-length']) > maxBodyBytes)) response.writeContinue()
    accept(request, response)
  })
  watchConnections(server, deps.runner)
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE') return reject(cause)
      reject(new KaonError('port_in_use', `The port ${at.port} of ${at.host} is in use.`, { cause, hint: 'Choose another with --port.' }))
    })
    const close = () => new Promise<void>((closed) => server.close(() => closed()))
    server.listen(at.port, at.host, () => resolve({ close, port: (server.address() as AddressInfo).port }))
  })
}

function createAccept({ runner, counters, streamBody }: HttpFrontDeps): (request: IncomingMessage, response: ServerResponse) => void {
  const prefix = `${randomBytes(6).toString('hex')}-`
  let count = 0
  return (request, response) => {
    const headers = request.rawHeaders
    let requestId: string | undefined
    let bodyBytes = 0
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string
      if (name.length === 12 && name.toLowerCase() === 'x-request-id') requestId = headers[i + 1]
      else if (name.length === 14 && name.toLowerCase() === 'content-length') bodyBytes = Number(headers[i + 1])
      else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') bodyBytes = Number.NaN
    }
    if (requestId === undefined || !requestIdPattern.test(requestId)) requestId = prefix + ++count
    const connection = connectionOf(request.socket)
    const exchange = new HttpExchange(request, response, { requestId, hasBody: bodyBytes !== 0, counters, connection })
    const now = runner.now()
    connection.usedAt = now
    const call = new Call(exchange, exchange, now, now + runner.timeoutMs)
    exchange.call = call
    const admitted = runner.admit(call)
    if (admitted !== 'admitted') refuse(exchange, admitted)
    else if (bodyBytes === 0) runner.start(call)
    else if (streamBody) {
      exchange.receive(windowBytes)
      runner.start(call)
    } else if (bodyBytes > maxBodyBytes) rejectBody(runner, exchange)
    else
      exchange.collect(
        maxBodyBytes,
        () => runner.start(call),
        () => rejectBody(runner, exchange),
      )
  }
}

function refuse(exchange: HttpExchange, why: 'full' | 'draining'): void {
  const reason = why === 'full' ? 'All of its slots are taken.' : 'It is being stopped.'
  exchange.refuse(new KaonError('overloaded', `The function takes no more calls now. ${reason}`, { retryAfterSeconds: 1 }))
}

function rejectBody(runner: CallRunner, exchange: HttpExchange): void {
  exchange.closesAfter = true
  const hint = "A handler takes larger ones as a stream: 'export const streamBody = true'."
  runner.reject(exchange.call, new KaonError('body_too_large', `The body is larger than ${maxBodyBytes / 2 ** 20} MiB.`, { hint }))
}
