import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { KaonError } from '../../../base/errors.ts'
import { Call } from './call.ts'
import type { CallRunner } from './call-runner.ts'
import type { Counters } from './counters.ts'
import { HttpExchange } from './http-exchange.ts'
import { maxBodyBytes } from './request-body.ts'

const maxHeadBytes = 32_768
const keepAliveMs = 75_000
const windowBytes = 262_144
const requestIdPattern = /^[\x21-\x7e]{1,128}$/

export type HttpFrontDeps = { runner: CallRunner; counters: Counters; streamBody: boolean }

/** Serves plain HTTP in the worker's own thread: `kaon run`, and a processor on its own. Resolves with the server and the port it got. */
export function listenHttp(deps: HttpFrontDeps, at: { host: string; port: number }): Promise<{ server: Server; port: number }> {
  const accept = createAccept(deps)
  const server = createServer({ maxHeaderSize: maxHeadBytes, keepAliveTimeout: keepAliveMs, requestTimeout: 0, noDelay: true }, accept)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (deps.streamBody || !(Number(request.headers['content-length']) > maxBodyBytes)) response.writeContinue()
    accept(request, response)
  })
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE') return reject(cause)
      reject(new KaonError('port_in_use', `The port ${at.port} of ${at.host} is in use.`, { cause, hint: 'Choose another with --port.' }))
    })
    server.listen(at.port, at.host, () => resolve({ server, port: (server.address() as AddressInfo).port }))
  })
}

/** What a request's headers say that matters here, from one pass over them. */
type Facts = { requestId: string | undefined; bodyBytes: number; hasBody: boolean }

function factsOf(headers: readonly string[]): Facts {
  const facts: Facts = { requestId: undefined, bodyBytes: 0, hasBody: false }
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (name.length === 12 && name.toLowerCase() === 'x-request-id') facts.requestId = headers[i + 1]
    else if (name.length === 14 && name.toLowerCase() === 'content-length') {
      facts.bodyBytes = Number(headers[i + 1])
      facts.hasBody = facts.bodyBytes > 0
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') facts.hasBody = true
  }
  return facts
}

function createAccept({ runner, counters, streamBody }: HttpFrontDeps): (request: IncomingMessage, response: ServerResponse) => void {
  const prefix = `${randomBytes(6).toString('hex')}-`
  let count = 0
  return (request, response) => {
    const facts = factsOf(request.rawHeaders)
    const given = facts.requestId
    const requestId = given !== undefined && requestIdPattern.test(given) ? given : prefix + (++count).toString(36)
    const exchange = new HttpExchange(request, response, requestId, { hasBody: facts.hasBody, counters })
    const now = runner.now()
    const call = new Call(exchange, exchange, now, now + runner.timeoutMs)
    exchange.watch(() => runner.cancel(call, 'gone'))
    const admitted = runner.admit(call)
    if (admitted !== 'admitted') {
      const why = admitted === 'full' ? 'All of its slots are taken.' : 'It is being stopped.'
      return exchange.refuse(new KaonError('overloaded', `The function takes no more calls now. ${why}`, { retryAfterSeconds: 1 }))
    }
    if (!facts.hasBody) return runner.start(call)
    const tooLarge = () => {
      exchange.closesAfter = true
      const hint = "A handler takes larger ones as a stream: 'export const streamBody = true'."
      runner.reject(call, new KaonError('body_too_large', `The body is larger than ${maxBodyBytes / 2 ** 20} MiB.`, { hint }))
    }
    if (streamBody) {
      exchange.receive(counters, windowBytes)
      runner.start(call)
    } else if (facts.bodyBytes > maxBodyBytes) tooLarge()
    else exchange.collect(counters, maxBodyBytes, () => runner.start(call), tooLarge)
  }
}
