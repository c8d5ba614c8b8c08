import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Log } from '../base/log.ts'
import { RoutingPublisher } from '../controller/routing-publisher.ts'
import type { RoutingTable } from '../model/routing-table.ts'
import type { ReplicaConnection } from '../platforms/local/connection.ts'
import { startControlServer } from './control-server.ts'
import { createSystem } from './system.ts'

const system = createSystem()
const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent }
const digest = (text: string) => createHash('sha256').update(text).digest('hex')

type Peer = { messages: unknown[]; send(message: unknown): void; write(bytes: string): void; isClosed: boolean; socket: Socket }

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 7_000; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 5)))
    if (isSo()) return
  throw new Error(`waited too long for ${what}`)
}

async function rig(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'kaon-control-'))
  const socketPath = join(folder, 'control.sock')
  const world: { table: RoutingTable } = { table: { version: 'v1', functions: [], revisions: [], routes: [] } }
  const routing = new RoutingPublisher({ clock: system.clock, compute: () => world.table })
  const attached: ReplicaConnection[] = []
  const platform = {
    expectedTokens: new Map([['abcdefghij', digest('replica token')]]),
    attach: (connection: ReplicaConnection) => void attached.push(connection),
  }
  const gatewayTokenDigest = Buffer.from(digest('gateway token'), 'hex')
  const server = await startControlServer({ ...system, socketPath, gatewayTokenDigest, platform, routing, log: silent })
  const sockets: Socket[] = []
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    await server[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })
  const dial = (): Peer => {
    const socket = connect(socketPath)
    sockets.push(socket)
    const peer: Peer = {
      messages: [],
      isClosed: false,
      socket,
      send: (message) => socket.write(`${JSON.stringify(message)}\n`),
      write: (bytes) => socket.write(bytes),
    }
    let held = ''
    socket.setEncoding('utf8').on('data', (part) => {
      const lines = (held + part).split('\n')
      held = lines.pop() ?? ''
      peer.messages.push(...lines.map((line) => JSON.parse(line)))
    })
    socket.on('error', () => {})
    socket.on('close', () => (peer.isClosed = true))
    return peer
  }
  return { dial, routing, world, attached, socketPath }
}

const gatewayHello = {
  kind: 'hello',
  version: 1,
  role: 'gateway',
  id: 'gateway',
  pid: 1,
  token: 'gateway token',
  address: '',
  tableVersion: null,
}
const replicaHello = {
  kind: 'hello',
  version: 1,
  role: 'replica',
  id: 'abcdefghij',
  pid: 2,
  token: 'replica token',
  report: { phase: 'empty' },
}

test('a gateway gets the table when it comes and whenever it changes, and what it has applied is known', async (t) => {
  const { dial, routing, world, socketPath } = await rig(t)
  assert.equal(statSync(socketPath).mode & 0o777, 0o600)
  routing.open()
  await until('a table', () => routing.table !== undefined)
  const gateway = dial()
  gateway.send(gatewayHello)
  await until('the table', () => gateway.messages.length === 2)
  assert.deepEqual(gateway.messages, [{ kind: 'welcome' }, { kind: 'table', table: world.table }])
  assert.equal(routing.hasGateway, true)
  world.table = { ...world.table, version: 'v2' }
  routing.changed()
  await until('the next table', () => gateway.messages.length === 3)
  gateway.socket.destroy()
  await until('its leave', () => !routing.hasGateway)
  const again = dial()
  again.send({ ...gatewayHello, tableVersion: 'v2' })
  await until('the welcome', () => again.messages.length === 1)
  again.send({ kind: 'table-applied', version: 'v2' })
  assert.deepEqual(again.messages, [{ kind: 'welcome' }], 'a gateway that has the table is not sent it')
})

test('a newer connection of the same gateway replaces the older one', async (t) => {
  const { dial, routing } = await rig(t)
  const first = dial()
  first.send(gatewayHello)
  await until('the first', () => first.messages.length === 1)
  const second = dial()
  second.send(gatewayHello)
  await until('the first to be closed', () => first.isClosed)
  assert.equal(second.isClosed, false)
  assert.equal(routing.hasGateway, true)
})

test('a replica with its token is handed to the platform, with every message after its hello', async (t) => {
  const { dial, attached } = await rig(t)
  const replica = dial()
  replica.send(replicaHello)
  await until('the platform to have it', () => attached.length === 1)
  const [connection] = attached
  const heard: unknown[] = []
  connection?.onMessage((message) => heard.push(message))
  replica.send({ kind: 'report', report: { phase: 'starting' } })
  await until('the report', () => heard.length === 1)
  connection?.send({ kind: 'drain', graceMs: 1 })
  await until('the word of the platform', () => replica.messages.length === 1)
  assert.deepEqual(replica.messages, [{ kind: 'drain', graceMs: 1 }])
})

for (const [what, hello] of Object.entries({
  'a gateway with a wrong token': { ...gatewayHello, token: 'wrong' },
  'a replica with a wrong token': { ...replicaHello, token: 'wrong' },
  'a replica that nobody knows': { ...replicaHello, id: 'zzzzzzzzzz' },
  "a replica with the gateway's token": { ...replicaHello, token: 'gateway token' },
  'a peer of another version': { ...gatewayHello, version: 2 },
  'a peer that says something else first': { kind: 'report' },
}))
  test(`${what} is refused`, async (t) => {
    const { dial, attached, routing } = await rig(t)
    const peer = dial()
    peer.send(hello)
    await until('the refusal', () => peer.isClosed)
    assert.equal((peer.messages[0] as { kind: string }).kind, 'refused')
    assert.deepEqual([attached.length, routing.hasGateway], [0, false])
  })

test('what is no JSON, and a line without end, cost the connection and nothing else', async (t) => {
  const { dial, routing } = await rig(t)
  const [noise, flood] = [dial(), dial()]
  noise.write('GET / HTTP/1.1\r\n\r\n')
  await until('the first to be closed', () => noise.isClosed)
  for (let sent = 0; sent < 3 * 1024 * 1024 && !flood.isClosed; sent += 65_536) flood.write('x'.repeat(65_536))
  await until('the second to be closed', () => flood.isClosed)
  const gateway = dial()
  gateway.send(gatewayHello)
  await until('a good one', () => routing.hasGateway)
})

test('who says nothing for five seconds is sent away', async (t) => {
  const { dial } = await rig(t)
  const peer = dial()
  await until('the refusal', () => peer.isClosed)
  assert.deepEqual(peer.messages, [{ kind: 'refused', reason: 'No hello came.' }])
})
