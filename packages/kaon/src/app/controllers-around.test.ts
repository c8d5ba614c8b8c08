import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KaonError } from '../base/errors.ts'
import { FakeClock, seededRandom } from '../base/fake-clock.ts'
import { createEvents } from '../controller/events.ts'
import type { EventResource } from '../model/core.ts'
import { findCondition, type Resource, type Stored } from '../model/metadata.ts'
import type { RouteResource } from '../model/route.ts'
import { hello, Rig, until } from './controllers-rig.ts'

const config = (name: string, metadata: object = {}): Resource => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default', ...metadata },
  data: {},
})

async function ownedPair(rig: Rig): Promise<void> {
  await rig.put(config('owner'))
  const owner = (await rig.store.get(rig.key('ConfigMap', 'owner'))) as Stored
  const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid }
  await rig.put(config('owned', { ownerReferences: [reference] }))
}

test('an object goes with the last of its owners, and one that never had one stays', async () => {
  await using rig = await Rig.open()
  await ownedPair(rig)
  await rig.put(config('other'))
  await rig.remove('ConfigMap', 'owner')
  await until('the owned one to go', async () => (await rig.store.get(rig.key('ConfigMap', 'owned'))) === undefined)
  assert.ok(await rig.store.get(rig.key('ConfigMap', 'other')))
})

test('an object whose owner bears the same name but is another one goes', async () => {
  await using rig = await Rig.open()
  await rig.put(config('owner'))
  await rig.put(config('owned', { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: 'of another time' }] }))
  await until('it to go', async () => (await rig.store.get(rig.key('ConfigMap', 'owned'))) === undefined)
  assert.ok(await rig.store.get(rig.key('ConfigMap', 'owner')))
})

for (const [finalizer, isLeft] of [
  ['foregroundDeletion', false],
  ['orphan', true],
] as const)
  test(`an owner deleted with ${finalizer} ${isLeft ? 'leaves what it owned behind' : 'waits until what it owned is gone'}`, async () => {
    await using rig = await Rig.open()
    await ownedPair(rig)
    const owner = (await rig.store.get(rig.key('ConfigMap', 'owner'))) as Stored
    const metadata = { ...owner.metadata, finalizers: [finalizer], deletionTimestamp: '2026-01-01T00:00:00Z' }
    await rig.store.write({
      kind: 'update',
      key: rig.key('ConfigMap', 'owner'),
      object: { ...owner, metadata },
      expected: owner.metadata.resourceVersion,
    })
    await until('the owner to go', async () => (await rig.store.get(rig.key('ConfigMap', 'owner'))) === undefined)
    const owned = await rig.store.get(rig.key('ConfigMap', 'owned'))
    assert.equal(owned !== undefined, isLeft)
    assert.deepEqual(owned?.metadata.ownerReferences ?? [], [])
  })

test('a route says what is missing, and is ready when it is there', async () => {
  await using rig = await Rig.open()
  const rules = [{ to: [{ function: 'hello' }], auth: { apiKey: { secret: 'keys' } } }]
  await rig.put({ apiVersion: 'kaon.dev/v1', kind: 'Route', metadata: { name: 'shop', namespace: 'default' }, spec: { rules } })
  const ready = async () => {
    const route = (await rig.store.get(rig.key('Route', 'shop'))) as Stored<RouteResource>
    return findCondition(route.status?.conditions, 'Ready')
  }
  await until('it to be told', async () => (await ready())?.status === 'False')
  assert.match((await ready())?.message ?? '', /There is no function 'hello'\. There is no secret 'keys'/)
  await rig.put(hello('one'))
  await rig.put({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', namespace: 'default' }, data: { ada: 'a2V5' } })
  await until('it to be ready', async () => (await ready())?.status === 'True')
})

test('a build that fails for a passing reason is tried again', async () => {
  await using rig = await Rig.open()
  let failures = 2
  rig.builder.beforeCall = () => {
    if (failures-- > 0) throw new KaonError('server_unreachable', 'The archive cannot be fetched now.')
  }
  await rig.put(hello('one'))
  const message = await rig.ready('Unknown', 'ServerUnreachable')
  assert.match(message, /The archive cannot be fetched now\. It will be tried again/)
  await rig.ready('True')
})

test('a revision that is overtaken while it starts is left, and never takes traffic', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  rig.failing.set('hello-00002', new KaonError('start_failed', 'init failed: no database'))
  await rig.put(hello('two'))
  await rig.ready('False', 'StartFailed')
  await rig.put(hello('three'))
  await rig.ready('True')
  assert.equal((await rig.fn())?.status?.latestReadyRevision, 'hello-00003')
  await until('nothing of it to run', () => rig.platform.replicas().every(({ revision }) => revision?.name === 'hello-00003'))
})

test('what happens again counts up one event, no object gets more than its share, and an hour later they are gone', async () => {
  await using rig = await Rig.open()
  const clock = new FakeClock()
  const silent = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent }
  const events = createEvents({ store: rig.store, clock, random: seededRandom(1), log: silent })
  await rig.put(config('subject'))
  const subject = (await rig.store.get(rig.key('ConfigMap', 'subject'))) as Stored
  for (let i = 0; i < 3; i++) events.record(subject, { type: 'Warning', reason: 'Again', message: 'the same' })
  for (let i = 0; i < 100; i++) events.record(subject, { type: 'Normal', reason: 'Many', message: `number ${i}` })
  await events.settled()
  const list = async () => (await rig.store.list({ resource: 'events' })).items as Stored<EventResource>[]
  const own = (await list()).filter(({ involvedObject }) => involvedObject.name === 'subject')
  assert.equal(own.find(({ reason }) => reason === 'Again')?.count, 3)
  assert.equal(own.length, 25)
  await clock.advance(3_500_000)
  await events.expire()
  assert.ok((await list()).some(({ involvedObject }) => involvedObject.name === 'subject'))
  await clock.advance(101_000)
  await events.expire()
  assert.deepEqual(
    (await list()).filter(({ involvedObject }) => involvedObject.name === 'subject'),
    [],
  )
})
