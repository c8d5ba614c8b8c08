import { type ErrorCode, KaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Files, HttpServer, IncomingMessage, Network, ServerResponse, Socket, System } from '../base/system.ts'
import type { HandleExchange } from './exchange.ts'
import { HttpExchange, type HttpExchangeOwner } from './http-exchange.ts'
import type { GatewayLimits } from './limits.ts'
import { refusalOf } from './refusal.ts'

const brokenLingerMs = 500
/** The last exchange of a connection, kept on its socket: cheaper than a map that every request changes. */
const currentExchange = Symbol('exchange')
type GatewaySocket = Socket & { [currentExchange]?: HttpExchange }

export type HttpFrontDeps = Pick<System, 'clock'> & {
  network: Pick<Network, 'createHttpServer'>
  files: Pick<Files, 'rm' | 'chmod'>
  limits: GatewayLimits
  handle: HandleExchange
  log: Log
}

/** Where HTTP comes in: a TCP port and a unix socket. It knows requests and answers, and nothing of functions. */
export class HttpFront {
  readonly #deps: HttpFrontDeps
  readonly #servers: HttpServer[] = []
  #underWay = 0
  #isClosing = false
  #whenIdle: (() => void) | undefined

  constructor(deps: HttpFrontDeps) {
    this.#deps = deps
  }

  /** Exchanges that are not over. */
  get underWay(): number {
    return this.#underWay
  }

  /** Listens on TCP and returns the port. Rejects with `port_in_use`. */
  async listen(host: string, port: number): Promise<number> {
    const server = this.#create(false)
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
      server.listen({ host, port }, resolve)
    })
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : port
  }

  /** Listens on a unix socket that only this user can reach. */
  async listenUnix(path: string): Promise<void> {
    await this.#deps.files.rm(path, { force: true })
    const server = this.#create(true)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
    await this.#deps.files.chmod(path, 0o600)
  }

  /** Takes no more, waits for what is under way up to the grace, then breaks off what is left. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
    for (const server of this.#servers) server.closeIdleConnections()
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve
        this.#deps.clock.after(graceMs, resolve, { idle: true })
      })
    }
    for (const server of this.#servers) server.closeAllConnections()
    await Promise.all(closed)
  }

  #create(isTrusted: boolean): HttpServer {
    const { limits, network } = this.#deps
    const server = network.createHttpServer({
      maxHeaderSize: limits.maxHeadBytes,
      requireHostHeader: false,
      headersTimeout: limits.headTimeoutMs,
      // Bodies have a limit of their own, between two pieces: an upload may take as long as it makes headway.
      requestTimeout: 0,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(2_000, limits.headTimeoutMs),
    })
    // Node would leave out what is beyond; here it is counted and refused.
    server.maxHeadersCount = 0
    server.maxConnections = limits.maxConnections
    const owner = this.#ownerOf(isTrusted)
    server.on('request', (request, response) => this.#accept(request, response, false, owner))
    server.on('checkContinue', (request, response) => this.#accept(request, response, true, owner))
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refuseBroken(error, socket as Socket))
    // Not served; without a listener node would close without a word.
    server.on('connect', (_request, socket) => this.#refuseConnect(socket as Socket))
    this.#servers.push(server)
    return server
  }

  #ownerOf(isTrusted: boolean): HttpExchangeOwner {
    const isClosing = () => this.#isClosing
    return {
      clock: this.#deps.clock,
      isTrusted,
      get isClosing() {
        return isClosing()
      },
      onDone: () => this.#done(),
    }
  }

  #accept(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean, owner: HttpExchangeOwner): void {
    const { socket } = request
    // What comes after a request that was refused with its body unread.
    if (socket.writableEnded) return
    this.#underWay++
    const exchange = new HttpExchange(request, response, expectsContinue, owner)
    ;(socket as GatewaySocket)[currentExchange] = exchange
    this.#deps.handle(exchange)
  }

  #done(): void {
    this.#underWay--
    if (this.#underWay === 0) this.#whenIdle?.()
  }

  /** What node's parser does not take. An answer that is on its way is not mixed with another one. */
  #refuseBroken(error: NodeJS.ErrnoException, socket: Socket): void {
    if (
      !socket.writable ||
      socket.writableEnded ||
      error.code === 'ECONNRESET' ||
      (socket as GatewaySocket)[currentExchange]?.isUnanswered === false
    ) {
      if (!socket.writableEnded) socket.destroy()
      return
    }
    const [code, message] = brokenRequest(error.code ?? '')
    this.#refuseAndClose(socket, new KaonError(code, message))
  }

  #refuseConnect(socket: Socket): void {
    // Node has let go of this socket, its listener for errors included: a reset would end the process.
    socket.on('error', () => undefined)
    // A refusal now would be read as the answer to a request before this one.
    if (!socket.writableEnded && (socket as GatewaySocket)[currentExchange]?.isOver === false) socket.destroy()
    else this.#refuseAndClose(socket, new KaonError('method_not_allowed', 'CONNECT is not served here.'))
  }

  /** The sender has a moment to read the answer, then the connection is closed whether it goes along or not. */
  #refuseAndClose(socket: Socket, error: KaonError): void {
    if (!socket.writableEnded) writeRefusal(socket, error, this.#deps.log)
    socket.pause()
    this.#deps.clock.after(brokenLingerMs, () => socket.destroy(), { idle: true })
  }
}

function brokenRequest(code: string): [ErrorCode, string] {
  if (code === 'HPE_HEADER_OVERFLOW') return ['headers_too_large', 'The head of the request is larger than 16 KiB.']
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return ['request_timeout', 'The head of the request did not come in time.']
  return ['invalid_request', 'The request is not HTTP/1.1.']
}

function writeRefusal(socket: Socket, error: KaonError, log: Log): void {
  const { status, headers, body } = refusalOf(error, undefined, log)
  headers.push('content-length', String(body.length), 'connection', 'close')
  let head = `HTTP/1.1 ${status} \r\n`
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
  socket.write(`${head}\r\n`, 'latin1')
  socket.end(body)
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE')
    return new KaonError('port_in_use', `The gateway cannot listen on ${host}:${port}: another program uses that port.`, {
      hint: "Stop that program, or choose another port with '--gateway-port' (0 takes a free one).",
      cause: error,
    })
  if (error.code === 'EACCES')
    return new KaonError('port_in_use', `The gateway may not listen on ${host}:${port}.`, {
      hint: "Choose a port above 1023 with '--gateway-port'.",
      cause: error,
    })
  return error
}
