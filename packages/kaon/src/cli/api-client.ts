import type { Readable } from 'node:stream'
import { KaonError } from '../base/errors.ts'
import type { IncomingMessage, System } from '../base/system.ts'
import { errorOfAnswer } from './api-errors.ts'

export type ApiRequest = {
  body?: string | Uint8Array | Readable
  headers?: Record<string, string | string[]>
  signal?: AbortSignal
}

/** An answer whose head has come; the body is read by whoever asked. */
export type ApiAnswer = { status: number; statusText: string; headers: IncomingMessage['headers']; body: IncomingMessage }

/** A thin client of the HTTP API: one keep-alive agent, no knowledge of kinds. Paths begin with a slash. */
export type ApiClient = {
  readonly server: string
  /** The answer whatever its status. Throws `server_unreachable` when there is none. */
  request(method: string, path: string, request?: ApiRequest): Promise<ApiAnswer>
  /** The body as JSON. Throws the server's error for a status of 400 or more. */
  json<T>(
    method: string,
    path: string,
    body?: unknown,
    options?: { contentType?: string; accept?: string; signal?: AbortSignal },
  ): Promise<T>
  /** The body as it comes, after the same check of the status. */
  stream(path: string, signal?: AbortSignal): Promise<IncomingMessage>
  /** The body line by line; `onOpen` is called when it begins. Ends when the server ends it; throws `server_unreachable` when it breaks. */
  lines(path: string, signal?: AbortSignal, onOpen?: () => void): AsyncGenerator<string>
  close(): void
}

const maxJsonBytes = 256 * 1024 * 1024

type Options = { server: string; token: string | undefined; version: string /** Ends every request. */; signal?: AbortSignal }

export function createApiClient(system: Pick<System, 'network' | 'clock'>, options: Options): ApiClient {
  const { network } = system
  const base = new URL(options.server)
  const prefix = base.pathname.replace(/\/+$/, '')
  const isSecure = base.protocol === 'https:'
  const send = isSecure ? network.httpsRequest : network.httpRequest
  const agent = network.httpAgent({ keepAlive: true, maxSockets: 64 })
  // An address in brackets is a URL's way of writing IPv6, not a socket's.
  const hostname = base.hostname.replace(/^\[|\]$/g, '')

  function request(method: string, path: string, { body, headers = {}, signal: own }: ApiRequest = {}): Promise<ApiAnswer> {
    const signal = own === undefined || options.signal === undefined ? (own ?? options.signal) : AbortSignal.any([own, options.signal])
    return new Promise((resolve, reject) => {
      const length = typeof body === 'string' || body instanceof Uint8Array ? Buffer.byteLength(body) : undefined
      const outgoing = send({
        ...(isSecure ? {} : { agent }),
        method,
        hostname,
        port: base.port || (isSecure ? 443 : 80),
        path: `${prefix}${path}`,
        ...(signal === undefined ? {} : { signal }),
        headers: {
          host: base.host,
          'user-agent': `kaon/${options.version}`,
          ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
          ...(length === undefined ? {} : { 'content-length': length }),
          ...headers,
        },
      })
      outgoing.on('response', (answer) => {
        resolve({ status: answer.statusCode ?? 0, statusText: answer.statusMessage ?? '', headers: answer.headers, body: answer })
      })
      outgoing.on('error', (error) => reject(signal?.aborted ? error : unreachable(options.server, error)))
      if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) outgoing.end(body)
      else {
        body.on('error', (error) => {
          outgoing.destroy()
          reject(error)
        })
        body.pipe(outgoing)
      }
    })
  }

  async function checked(method: string, path: string, apiRequest: ApiRequest): Promise<ApiAnswer> {
    const answer = await request(method, path, apiRequest)
    if (answer.status >= 400) throw errorOfAnswer(answer.status, answer.headers['content-type'], await readText(answer.body), path)
    return answer
  }

  return {
    server: options.server,
    request,
    async json<T>(
      method: string,
      path: string,
      body?: unknown,
      {
        contentType = 'application/json',
        accept = 'application/json',
        signal,
      }: { contentType?: string; accept?: string; signal?: AbortSignal } = {},
    ) {
      const answer = await checked(method, path, {
        headers: { accept, ...(body === undefined ? {} : { 'content-type': contentType }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      })
      return parseAnswer<T>(await readText(answer.body), options.server)
    },
    stream: async (path, signal) => (await checked('GET', path, signal === undefined ? {} : { signal })).body,
    async *lines(path, signal, onOpen) {
      const { body } = await checked('GET', path, signal === undefined ? {} : { signal })
      onOpen?.()
      yield* splitLines(body, options.server, signal)
    },
    close: () => agent.destroy(),
  }
}

/** A body as text. Throws `protocol_error` past 256 MiB. */
export async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body) {
    bytes += part.length
    if (bytes > maxJsonBytes) throw new KaonError('protocol_error', 'The server answered more than 256 MiB.')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

async function* splitLines(body: AsyncIterable<Buffer>, server: string, signal: AbortSignal | undefined): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for await (const part of body) {
      const lines = (rest + decoder.decode(part, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      yield* lines.filter((line) => line !== '')
    }
  } catch (error) {
    if (signal?.aborted) return
    throw unreachable(server, error as NodeJS.ErrnoException)
  }
  if (rest !== '') yield rest
}

function parseAnswer<T>(text: string, server: string): T {
  try {
    return JSON.parse(text) as T
  } catch (cause) {
    throw new KaonError('protocol_error', `What answers at '${server}' is not a Kaon server: it sent no JSON.`, {
      cause,
      hint: "Check --server, KAON_SERVER and 'kaon context list'.",
    })
  }
}

function unreachable(server: string, cause: NodeJS.ErrnoException): KaonError {
  const isNobody = cause.code === 'ECONNREFUSED' || cause.code === 'ENOTFOUND'
  return new KaonError(
    'server_unreachable',
    `${isNobody ? 'No server answers' : 'The connection broke'} at '${server}' (${cause.code ?? 'closed'}).`,
    {
      cause,
      hint: "Start the platform with 'kaon start', or name another server with --server or 'kaon context use'.",
    },
  )
}
