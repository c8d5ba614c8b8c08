import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../base/fake-clock.ts'
import type { RoutingTable } from '../model/routing-table.ts'
import { RoutingPublisher } from './routing-publisher.ts'

const table = (version: string, uid: string): RoutingTable => ({
  version,
  functions: [{ namespace: 'default', name: 'hello', uid: 'f', traffic: [{ revisionUid: uid, percent: 100 }], tags: {} }],
  revisions: [{ uid, name: uid, namespace: 'default', function: 'hello', timeoutMs: 1, concurrency: 1, replicas: [] }],
  routes: [],
})

function isReachable(publisher: RoutingPublisher, revisionUid: string): boolean {
  return publisher.isReachable('f', { traffic: [{ revisionUid, percent: 100 }], tags: {} })
}

function rig() {
  const clock = new FakeClock()
  const world = { table: table('v1', 'old') }
  const publisher = new RoutingPublisher({ clock, compute: () => world.table })
  const sent: string[] = []
  publisher.onTable(({ version }) => sent.push(version))
  return { clock, world, publisher, sent }
}

test('several changes in one go make one table, and one that is equal is not sent', async () => {
  const { clock, publisher, sent } = rig()
  publisher.changed()
  await clock.advance(0)
  assert.deepEqual(sent, [], 'nothing before it is opened')
  publisher.open()
  publisher.changed()
  publisher.changed()
  await clock.advance(0)
  publisher.changed()
  await clock.advance(0)
  assert.deepEqual(sent, ['v1'])
})

test('a revision is in use until every gateway has applied a table without it', async () => {
  const { clock, world, publisher } = rig()
  publisher.open()
  publisher.gatewayJoined('a', null)
  publisher.gatewayJoined('b', null)
  await clock.advance(0)
  publisher.gatewayApplied('a', 'v1')
  publisher.gatewayApplied('b', 'v1')
  assert.equal(isReachable(publisher, 'old'), true)
  assert.equal(isReachable(publisher, 'new'), false)
  world.table = table('v2', 'new')
  publisher.changed()
  await clock.advance(0)
  assert.equal(isReachable(publisher, 'new'), false)
  publisher.gatewayApplied('a', 'v2')
  assert.deepEqual([publisher.isInUse('old'), publisher.isInUse('new'), isReachable(publisher, 'new')], [true, true, true])
  publisher.gatewayApplied('b', 'v2')
  assert.equal(publisher.isInUse('old'), false)
})

test('a gateway that does not answer holds a revision for five seconds at most', async () => {
  const { clock, world, publisher } = rig()
  publisher.open()
  publisher.gatewayJoined('a', null)
  await clock.advance(0)
  world.table = table('v2', 'new')
  publisher.changed()
  await clock.advance(0)
  await clock.advance(4_000)
  assert.equal(publisher.isInUse('old'), true)
  await clock.advance(1_500)
  assert.equal(publisher.isInUse('old'), false)
})

test('after a restart a gateway with the very same table needs nothing, and one with another is waited for', async () => {
  const { clock, publisher, sent } = rig()
  publisher.gatewayJoined('a', 'v1')
  publisher.gatewayJoined('b', 'from before')
  publisher.open()
  await clock.advance(0)
  assert.deepEqual(sent, ['v1'])
  assert.equal(isReachable(publisher, 'old'), true)
  assert.equal(publisher.isInUse('unknown'), true)
  publisher.gatewayApplied('b', 'v1')
  assert.equal(publisher.isInUse('unknown'), false)
})
