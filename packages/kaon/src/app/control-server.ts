import { createHash, timingSafeEqual } from 'node:crypto'
import type { Log } from '../base/log.ts'
import type { System } from '../base/system.ts'
import type { RoutingPublisher } from '../controller/routing-publisher.ts'
import type { FromGateway, FromReplica, Hello, ToGateway } from '../model/control-protocol.ts'
import type { LocalPlatform } from '../platforms/local/connection.ts'
import { ControlConnection } from './control-connection.ts'

export type ControlServerDeps = Pick<System, 'clock' | 'network' | 'files'> & {
  socketPath: string
  /** SHA-256 of the gateways' token. */
  gatewayTokenDigest: Buffer
  platform: Pick<LocalPlatform, 'attach' | 'expectedTokens'>
  routing: RoutingPublisher
  log: Log
}

/** More connections than any machine has replicas for are a mistake. */
const maxConnections = 4_096

/** Where replicas and gateways dial. Who they are is proved by their token; then replicas go to the platform, and gateways get the routing table. */
export async function startControlServer(deps: ControlServerDeps): Promise<AsyncDisposable> {
  const { clock, network, files, routing, socketPath } = deps
  const reception = new Reception(deps)
  const connections = new Set<ControlConnection>()
  routing.onTable((table) => reception.tellGateways({ kind: 'table', table }))
  const server = network.createServer((socket) => {
    const connection = new ControlConnection(socket, clock, (known, hello) => reception.welcome(known, hello))
    connections.add(connection)
    connection.onClose(() => connections.delete(connection))
  })
  server.maxConnections = maxConnections
  await files.rm(socketPath, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath, resolve)
  })
  await files.chmod(socketPath, 0o600)
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const connection of connections) connection.close()
      await closed
    },
  }
}

/** Who has said hello. One connection for each peer: a newer one takes the place of the older. */
class Reception {
  readonly #deps: ControlServerDeps
  readonly #byPeer = new Map<string, ControlConnection>()
  readonly #gateways = new Map<string, ControlConnection>()

  constructor(deps: ControlServerDeps) {
    this.#deps = deps
  }

  tellGateways(message: ToGateway): void {
    for (const connection of this.#gateways.values()) connection.send(message)
  }

  welcome(connection: ControlConnection, hello: Hello): void {
    if (!isGenuine(hello, this.#deps)) {
      this.#deps.log.warn('A peer was refused at the control socket.', { role: hello.role, id: hello.id })
      connection.refuse('The token is not the right one.')
      return
    }
    const peer = `${hello.role} ${hello.id}`
    this.#byPeer.get(peer)?.close()
    this.#byPeer.set(peer, connection)
    connection.onClose(() => {
      if (this.#byPeer.get(peer) === connection) this.#byPeer.delete(peer)
    })
    if (hello.role === 'gateway') this.#welcomeGateway(connection, hello)
    else
      this.#deps.platform.attach({
        hello,
        send: (message) => connection.send(message),
        onMessage: (listener) => connection.onMessage((message) => listener(message as FromReplica)),
        onClose: (listener) => connection.onClose(listener),
        close: () => connection.close(),
      })
  }

  #welcomeGateway(connection: ControlConnection, { id, tableVersion }: Extract<Hello, { role: 'gateway' }>): void {
    const { routing } = this.#deps
    this.#gateways.set(id, connection)
    connection.onMessage((message) => {
      const said = message as FromGateway
      // `waiting` is for the autoscaler, which does not exist yet.
      if (said.kind === 'table-applied' && typeof said.version === 'string') routing.gatewayApplied(id, said.version)
    })
    connection.onClose(() => {
      if (this.#gateways.get(id) !== connection) return
      this.#gateways.delete(id)
      routing.gatewayLeft(id)
    })
    connection.send({ kind: 'welcome' } satisfies ToGateway)
    routing.gatewayJoined(id, tableVersion)
    const { table } = routing
    if (table !== undefined && table.version !== tableVersion) connection.send({ kind: 'table', table } satisfies ToGateway)
  }
}

/** Compares digests, which are of one length, in constant time; a replica that nobody knows takes as long as one with a wrong token. */
function isGenuine(hello: Hello, { gatewayTokenDigest, platform }: ControlServerDeps): boolean {
  const given = createHash('sha256').update(hello.token).digest()
  if (hello.role === 'gateway') return timingSafeEqual(given, gatewayTokenDigest)
  const expected = platform.expectedTokens.get(hello.id)
  const isEqual = timingSafeEqual(given, expected === undefined ? Buffer.alloc(given.length) : Buffer.from(expected, 'hex'))
  return isEqual && expected !== undefined
}
