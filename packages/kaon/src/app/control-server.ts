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
  const { clock, network, files, log, routing, platform, socketPath } = deps
  const connections = new Set<ControlConnection>()
  const byPeer = new Map<string, ControlConnection>()
  const gateways = new Map<string, ControlConnection>()

  function welcome(connection: ControlConnection, hello: Hello): void {
    if (!isGenuine(hello, deps)) {
      log.warn('A peer was refused at the control socket.', { role: hello.role, id: hello.id })
      connection.refuse('The token is not the right one.')
      return
    }
    const peer = `${hello.role} ${hello.id}`
    byPeer.get(peer)?.close()
    byPeer.set(peer, connection)
    connection.onClose(() => {
      if (byPeer.get(peer) === connection) byPeer.delete(peer)
    })
    if (hello.role === 'gateway') welcomeGateway(connection, hello)
    else
      platform.attach({
        hello,
        send: (message) => connection.send(message),
        onMessage: (listener) => connection.onMessage((message) => listener(message as FromReplica)),
        onClose: (listener) => connection.onClose(listener),
        close: () => connection.close(),
      })
  }

  function welcomeGateway(connection: ControlConnection, { id, tableVersion }: Extract<Hello, { role: 'gateway' }>): void {
    gateways.set(id, connection)
    connection.onMessage((message) => takeFromGateway(id, message as FromGateway))
    connection.onClose(() => {
      if (gateways.get(id) !== connection) return
      gateways.delete(id)
      routing.gatewayLeft(id)
    })
    connection.send({ kind: 'welcome' } satisfies ToGateway)
    routing.gatewayJoined(id, tableVersion)
    if (routing.table !== undefined && routing.table.version !== tableVersion)
      connection.send({ kind: 'table', table: routing.table } satisfies ToGateway)
  }

  function takeFromGateway(id: string, message: FromGateway): void {
    // `waiting` is for the autoscaler, which does not exist yet.
    if (message.kind === 'table-applied' && typeof message.version === 'string') routing.gatewayApplied(id, message.version)
  }

  routing.onTable((table) => {
    for (const connection of gateways.values()) connection.send({ kind: 'table', table } satisfies ToGateway)
  })
  const server = network.createServer((socket) => {
    const connection = new ControlConnection(socket, clock, welcome)
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

/** Compares digests, which are of one length, in constant time; a replica that nobody knows takes as long as one with a wrong token. */
function isGenuine(hello: Hello, { gatewayTokenDigest, platform }: ControlServerDeps): boolean {
  const given = createHash('sha256').update(hello.token).digest()
  if (hello.role === 'gateway') return timingSafeEqual(given, gatewayTokenDigest)
  const expected = platform.expectedTokens.get(hello.id)
  const isEqual = timingSafeEqual(given, expected === undefined ? Buffer.alloc(given.length) : Buffer.from(expected, 'hex'))
  return isEqual && expected !== undefined
}
