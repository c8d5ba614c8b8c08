import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { CallRunner } from './call-runner.ts'
import type { HttpExchange } from './http-exchange.ts'

/** A connection without a call for this long is closed. */
const idleMs = 75_000
const sweepMs = 15_000

/** The calls of one connection that are not answered: almost always one at most, so that this is cheaper than a set. */
export class HttpConnection {
  /** When its last call began, on the machine's monotonic clock. */
  usedAt: number
  #only: HttpExchange | undefined
  #others: Set<HttpExchange> | undefined

  constructor(now: number) {
    this.usedAt = now
  }

  get isIdle(): boolean {
    return this.#only === undefined && (this.#others === undefined || this.#others.size === 0)
  }

  add(exchange: HttpExchange): void {
    if (this.#only === undefined) this.#only = exchange
    else {
      this.#others ??= new Set()
      this.#others.add(exchange)
    }
  }

  remove(exchange: HttpExchange): void {
    if (this.#only === exchange) this.#only = undefined
    else this.#others?.delete(exchange)
  }

  *open(): Generator<HttpExchange> {
    if (this.#only !== undefined) yield this.#only
    if (this.#others !== undefined) yield* this.#others
  }
}

const connectionKey = Symbol('connection')
type KnownSocket = Socket & { [connectionKey]?: HttpConnection }

export function connectionOf(socket: Socket): HttpConnection {
  return (socket as KnownSocket)[connectionKey] as HttpConnection
}

/**
 * Ends the calls of a connection that ends, and idle connections: one listener for each connection and one timer for all, where Node's own
 * keep-alive timeout sets a timer after each answer.
 */
export function watchConnections(server: Server, runner: CallRunner): void {
  const connections = new Map<Socket, HttpConnection>()
  server.on('connection', (socket: KnownSocket) => {
    const connection = new HttpConnection(runner.now())
    socket[connectionKey] = connection
    connections.set(socket, connection)
    socket.on('close', () => {
      connections.delete(socket)
      for (const exchange of [...connection.open()]) runner.cancel(exchange.call, 'gone')
    })
  })
  setInterval(() => {
    const now = runner.now()
    for (const [socket, connection] of connections)
      if (!connection.isIdle) connection.usedAt = now
      else if (now - connection.usedAt > idleMs) socket.destroySoon()
  }, sweepMs).unref()
}
