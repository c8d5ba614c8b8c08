import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KaonError } from '../base/errors.ts'
import type { Resource } from '../model/metadata.ts'
import { hello, Rig, until } from './controllers-rig.ts'

test('a function becomes ready: revision, build, replica, table, in that order', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  const fn = await rig.fn()
  assert.deepEqual(fn?.metadata.finalizers, ['kaon.dev/function'])
  const { latestCreatedRevision, latestReadyRevision, traffic, url, replicas } = fn?.status ?? {}
  assert.deepEqual(
    { latestCreatedRevision, latestReadyRevision, traffic, url, replicas },
    {
      latestCreatedRevision: 'hello-00001',
      latestReadyRevision: 'hello-00001',
      traffic: [{ revision: 'hello-00001', percent: 100, latest: true }],
      url: 'http://hello.default.localhost:8080',
      replicas: 1,
    },
  )
  const [routed] = rig.life?.routing.table?.functions ?? []
  assert.equal(routed?.traffic[0]?.percent, 100)
  assert.ok((await rig.store.get(rig.key('Namespace', 'default'))) !== undefined)
})

test('a change of the code makes a new revision, and the old replicas end when the gateway knows', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  await rig.put(hello('two'))
  await until('traffic to move', async () => (await rig.fn())?.status?.latestReadyRevision === 'hello-00002')
  await rig.ready('True')
  await until('the old replica to end', () => rig.platform.replicas().every(({ revision }) => revision?.name === 'hello-00002'))
  assert.equal(rig.platform.replicas().length, 1)
})

test('a change of the scale makes no revision, but replicas', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  await rig.put(hello('one', { scale: { min: 3 } }))
  await until('three replicas', () => rig.platform.replicas().length === 3)
  assert.equal((await rig.revisions()).length, 1)
})

test('a revision that fails to build leaves the old one serving, and the status says both', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  await rig.put(hello('broken'))
  const message = await rig.ready('False', 'BuildFailed')
  assert.match(message, /'hello-00002' is not ready.*Traffic still goes to 'hello-00001'.*handler\.ts:1:1/s)
  assert.deepEqual((await rig.fn())?.status?.traffic, [{ revision: 'hello-00001', percent: 100, latest: true }])
  const builds = rig.builder.builds
  await rig.restart()
  await rig.put(hello('three'))
  await rig.ready('True')
  assert.equal(rig.builder.builds, builds + 1, 'what the author wrote wrongly is not built again')
})

test('a revision that fails to start leaves the old one serving', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  rig.failing.set('hello-00002', new KaonError('handler_invalid', 'The default export is a number.'))
  await rig.put(hello('two'))
  const message = await rig.ready('False', 'HandlerInvalid')
  assert.match(message, /The default export is a number/)
  assert.equal((await rig.fn())?.status?.latestReadyRevision, 'hello-00001')
  await until('nothing to be tried again', () => rig.platform.replicas().every(({ revision }) => revision?.name === 'hello-00001'))
})

test('a missing secret is named, and its coming is enough', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one', { env: [{ name: 'KEY', secret: { name: 'api', key: 'token' } }] }))
  const message = await rig.ready('False', 'MissingReference')
  assert.match(message, /There is no secret 'api'/)
  await rig.put({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'api', namespace: 'default' }, data: { token: 'czNjcjN0' } })
  await rig.ready('True')
  assert.equal(rig.assignments.get('hello-00001')?.env['KEY'], 's3cr3t')
  assert.deepEqual(rig.assignments.get('hello-00001')?.secrets, { 'api.token': 's3cr3t' })
  assert.doesNotMatch(JSON.stringify([await rig.fn(), await rig.revisions()]), /s3cr3t/)
})

test('a change of a secret that is named rolls the replicas without a new revision', async () => {
  await using rig = await Rig.open()
  const secret = (data: string): Resource => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'api', namespace: 'default' },
    data: { token: data },
  })
  await rig.put(secret('b25l'))
  await rig.put(hello('one', { env: [{ name: 'KEY', secret: { name: 'api', key: 'token' } }] }))
  await rig.ready('True')
  await rig.put(secret('dHdv'))
  await until('the new value', () => rig.assignments.get('hello-00001')?.env['KEY'] === 'two')
  assert.equal((await rig.revisions()).length, 1)
})

test('an artifact that is gone from the disk is built again', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  rig.builder.artifacts.clear()
  await rig.put(hello('one', { scale: { min: 2 } }))
  await until('a second replica', () => rig.platform.replicas().filter(({ phase }) => phase === 'ready').length === 2)
  assert.equal(rig.builder.builds, 2)
})

test('a function that is deleted leaves no revision, no replica and no log', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  await rig.remove('Function', 'hello')
  await until('the function to be gone', async () => (await rig.fn()) === undefined)
  assert.deepEqual(await rig.revisions(), [])
  assert.deepEqual(rig.platform.replicas(), [])
  assert.deepEqual([...new Set(rig.forgotten)], ['default/hello'])
  assert.deepEqual([...new Set(rig.removedLogs)], ['default/hello'])
})

test('a namespace takes everything in it along', async () => {
  await using rig = await Rig.open()
  await rig.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'some', namespace: 'default' }, data: {} })
  await rig.put(hello('one'))
  await rig.ready('True')
  await rig.remove('Namespace', 'default')
  await until(
    'everything to be gone',
    async () => (await rig.fn()) === undefined && (await rig.store.get(rig.key('ConfigMap', 'some'))) === undefined,
  )
})

test('old revisions are collected: the last ten stay, and those that are named', async () => {
  await using rig = await Rig.open()
  const traffic = [
    { revision: 'latest', percent: 100 },
    { revision: 'hello-00001', tag: 'first' },
  ]
  for (let number = 1; number <= 13; number++) {
    await rig.put(hello(`v${number}`, number === 1 ? {} : { traffic }))
    await until(
      `revision ${number}`,
      async () => (await rig.fn())?.status?.latestReadyRevision === `hello-${String(number).padStart(5, '0')}`,
    )
  }
  await until('the old ones to go', async () => (await rig.revisions()).length === 11)
  const names = (await rig.revisions()).map(({ metadata }) => metadata.name).sort()
  assert.deepEqual([names[0], names[1], names.at(-1)], ['hello-00001', 'hello-00004', 'hello-00013'])
})

test('what restarts in the middle of its work comes to the same end, wherever that was', async () => {
  for (let failAt = 1; failAt <= 24; failAt++) {
    await using rig = await Rig.open()
    await rig.put(hello('one'))
    await rig.ready('True')
    let calls = 0
    let isDown = false
    const count = () => {
      if (isDown || ++calls === failAt) {
        isDown = true
        throw new KaonError('store_unavailable', 'killed here')
      }
    }
    rig.beforeWrite = count
    rig.beforePlatform = count
    rig.builder.beforeCall = count
    await rig.put(hello('two'))
    await until('the kill or the end', async () => isDown || (await rig.fn())?.status?.latestReadyRevision === 'hello-00002')
    rig.beforeWrite = rig.beforePlatform = rig.builder.beforeCall = () => {}
    await rig.restart()
    await rig.ready('True')
    const { latestReadyRevision, traffic } = (await rig.fn())?.status ?? {}
    assert.equal(latestReadyRevision, 'hello-00002', `killed at call ${failAt}`)
    assert.deepEqual(traffic, [{ revision: 'hello-00002', percent: 100, latest: true }])
    assert.deepEqual((await rig.revisions()).map(({ metadata }) => metadata.name).sort(), ['hello-00001', 'hello-00002'])
    await until('one replica', () => rig.platform.replicas().length === 1 && rig.platform.replicas()[0]?.revision?.name === 'hello-00002')
  }
})
