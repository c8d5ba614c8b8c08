import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { openSqliteStore } from '../stores/sqlite.ts'
import type { Store } from '../stores/store.ts'
import { createTestApi, functionsPath, sampleFunction } from './test-api.ts'

const folder = mkdtempSync(join(tmpdir(), 'kaon-api-'))
const secretsPath = '/api/v1/namespaces/default/secrets'
const mergeType = { 'content-type': 'application/merge-patch+json' }
let store: Store
let test_: ReturnType<typeof createTestApi>
let send: ReturnType<typeof createTestApi>['send']

before(async () => {
  store = await openSqliteStore({ file: join(folder, 'store.sqlite'), clock: createSystem().clock })
  test_ = createTestApi(store)
  send = test_.send
  assert.equal((await send('POST', '/api/v1/namespaces', { metadata: { name: 'default' } })).status, 201)
})

after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

test('a created function has its defaults and the fields that only the server sets', async () => {
  const given = sampleFunction('created', { metadata: { uid: 'mine', generation: 9, creationTimestamp: null, managedFields: [{}] } })
  const { status, body } = await send('POST', functionsPath, { ...given, status: { url: 'http://made.up' } })
  assert.equal(status, 201)
  assert.equal(body.spec.timeout, '30s')
  assert.equal(body.status, undefined)
  assert.equal(body.metadata.generation, 1)
  assert.equal(body.metadata.namespace, 'default')
  assert.equal(body.metadata.managedFields, undefined)
  assert.notEqual(body.metadata.uid, 'mine')
  assert.match(body.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  assert.deepEqual((await send('GET', `${functionsPath}/created`)).body, body)
})

test('a second object of the same name is refused as AlreadyExists', async () => {
  await send('POST', functionsPath, sampleFunction('twice'))
  const { status, body } = await send('POST', functionsPath, sampleFunction('twice'))
  assert.equal(status, 409)
  assert.equal(body.reason, 'AlreadyExists')
  assert.equal(body.message, 'functions.kaon.dev "twice" already exists')
})

test('a wrong spec is refused with a cause for each field, and nothing is kept', async () => {
  const { status, body } = await send('POST', functionsPath, sampleFunction('wrong', { spec: { workers: 0, scael: {} } }))
  assert.equal(status, 422)
  assert.equal(body.kind, 'Status')
  assert.equal(body.reason, 'Invalid')
  assert.equal(body.details.group, 'kaon.dev')
  assert.deepEqual(body.details.causes.map((cause: { field: string }) => cause.field).sort(), ['spec.scael', 'spec.workers'])
  assert.equal((await send('GET', `${functionsPath}/wrong`)).status, 404)
})

test('generateName makes a name that fits the kind', async () => {
  const { metadata: _, ...nameless } = sampleFunction('unused')
  const { body } = await send('POST', functionsPath, { ...nameless, metadata: { generateName: `${'long-'.repeat(12)}` } })
  assert.match(body.metadata.name, /^[a-z-]{45}[a-z0-9]{5}$/)
})

test('an update must name the version that it was made from', async () => {
  const created = (await send('POST', functionsPath, sampleFunction('updated'))).body
  const path = `${functionsPath}/updated`
  const { resourceVersion, ...metadata } = created.metadata
  const blind = await send('PUT', path, { ...created, metadata })
  assert.equal(blind.status, 422)
  const next = await send('PUT', path, { ...created, spec: { ...created.spec, workers: 2 } })
  assert.equal(next.status, 200)
  assert.equal(next.body.metadata.generation, 2)
  const stale = await send('PUT', path, { ...created, spec: { ...created.spec, workers: 3 } })
  assert.equal(stale.status, 409)
  assert.equal(stale.body.reason, 'Conflict')
  assert.notEqual(next.body.metadata.resourceVersion, resourceVersion)
})

test('name, namespace and uid cannot be changed', async () => {
  await send('POST', functionsPath, sampleFunction('fixed'))
  const change = (metadata: object) => send('PATCH', `${functionsPath}/fixed`, { metadata }, mergeType)
  assert.equal((await change({ name: 'other' })).status, 400)
  assert.equal((await change({ namespace: 'other' })).status, 400)
  assert.equal((await change({ uid: 'other' })).status, 409)
  assert.equal((await change({ uid: null, creationTimestamp: null })).status, 200)
  assert.ok((await send('GET', `${functionsPath}/fixed`)).body.metadata.uid)
})

test('a change that changes nothing writes nothing, and labels do not make a generation', async () => {
  const { body: created } = await send('POST', functionsPath, sampleFunction('same'))
  const same = await send('PATCH', `${functionsPath}/same`, { spec: { timeout: '30s' } }, mergeType)
  assert.equal(same.body.metadata.resourceVersion, created.metadata.resourceVersion)
  const labelled = await send('PATCH', `${functionsPath}/same`, { metadata: { labels: { tier: 'web' } } }, mergeType)
  assert.notEqual(labelled.body.metadata.resourceVersion, created.metadata.resourceVersion)
  assert.equal(labelled.body.metadata.generation, 1)
})

test('status is written under /status alone, and only status is', async () => {
  await send('POST', functionsPath, sampleFunction('statused'))
  const path = `${functionsPath}/statused`
  const patch = { spec: { workers: 5 }, metadata: { labels: { a: 'b' } }, status: { url: 'http://x.localhost' } }
  const written = await send('PATCH', `${path}/status`, patch, mergeType)
  assert.equal(written.body.status.url, 'http://x.localhost')
  assert.equal(written.body.spec.workers, 1)
  assert.equal(written.body.metadata.labels, undefined)
  assert.equal(written.body.metadata.generation, 1)
  const spec = await send('PATCH', path, { status: { url: 'http://y.localhost' }, spec: { workers: 2 } }, mergeType)
  assert.equal(spec.body.status.url, 'http://x.localhost')
  assert.equal(spec.body.metadata.generation, 2)
})

test('four clients that patch one object at once all get their change in', async () => {
  await send('POST', functionsPath, sampleFunction('busy'))
  const patches = Array.from({ length: 4 }, (_, i) =>
    send('PATCH', `${functionsPath}/busy`, { metadata: { labels: { [`l${i}`]: 'x' } } }, mergeType),
  )
  assert.deepEqual(
    (await Promise.all(patches)).map(({ status }) => status),
    [200, 200, 200, 200],
  )
  assert.equal(Object.keys((await send('GET', `${functionsPath}/busy`)).body.metadata.labels).length, 4)
})

test('a patch of a type that the kind does not have is refused with those it has', async () => {
  await send('POST', functionsPath, sampleFunction('typed'))
  for (const type of ['application/strategic-merge-patch+json', 'application/apply-patch+yaml', 'text/plain']) {
    const { status, body } = await send('PATCH', `${functionsPath}/typed`, '{}', { 'content-type': type })
    assert.equal(status, 415)
    assert.equal(body.reason, 'UnsupportedMediaType')
    assert.match(body.message, /merge-patch/)
  }
})

test('dryRun answers what would be and keeps nothing', async () => {
  const created = await send('POST', `${functionsPath}?dryRun=All`, sampleFunction('dry'))
  assert.equal(created.status, 201)
  assert.ok(created.body.metadata.uid)
  assert.equal((await send('GET', `${functionsPath}/dry`)).status, 404)
  await send('POST', functionsPath, sampleFunction('dry'))
  assert.equal((await send('POST', `${functionsPath}?dryRun=All`, sampleFunction('dry'))).status, 409)
  await send('DELETE', `${functionsPath}/dry?dryRun=All`)
  assert.equal((await send('GET', `${functionsPath}/dry`)).status, 200)
})

test('an object without finalizers is gone at once; one with finalizers waits for them', async () => {
  const { body: created } = await send('POST', functionsPath, sampleFunction('plain'))
  const deleted = await send('DELETE', `${functionsPath}/plain`)
  assert.equal(deleted.body.status, 'Success')
  assert.deepEqual(deleted.body.details, { name: 'plain', group: 'kaon.dev', kind: 'functions', uid: created.metadata.uid })
  await send('POST', functionsPath, sampleFunction('held', { metadata: { finalizers: ['kaon.dev/replicas'] } }))
  const path = `${functionsPath}/held`
  const going = await send('DELETE', path)
  assert.ok(going.body.metadata.deletionTimestamp)
  const again = await send('DELETE', path)
  assert.equal(again.body.metadata.resourceVersion, going.body.metadata.resourceVersion)
  const added = await send('PATCH', path, { metadata: { finalizers: ['kaon.dev/replicas', 'more'] } }, mergeType)
  assert.equal(added.status, 422)
  const last = await send('PATCH', path, { metadata: { finalizers: null } }, mergeType)
  assert.equal(last.status, 200)
  assert.equal((await send('GET', path)).status, 404)
})

test('a deletion with a precondition that does not hold changes nothing', async () => {
  const { body } = await send('POST', functionsPath, sampleFunction('kept'))
  const path = `${functionsPath}/kept`
  assert.equal((await send('DELETE', path, { preconditions: { uid: 'another' } })).status, 409)
  assert.equal((await send('DELETE', path, { preconditions: { resourceVersion: '1' } })).status, 409)
  assert.equal((await send('DELETE', path, { propagationPolicy: 'Sideways' })).status, 400)
  assert.equal((await send('DELETE', path, { preconditions: { uid: body.metadata.uid } })).status, 200)
})

test('the propagation policy is left for the garbage collector as a finalizer', async () => {
  await send('POST', functionsPath, sampleFunction('parent'))
  const { body } = await send('DELETE', `${functionsPath}/parent`, { propagationPolicy: 'Foreground' })
  assert.deepEqual(body.metadata.finalizers, ['foregroundDeletion'])
})

test('lists select by labels and fields, and pages hold the limit', async () => {
  for (const [name, tier] of [
    ['a', 'web'],
    ['b', 'api'],
    ['c', 'web'],
    ['d', 'web'],
  ] as const)
    await send('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: `page-${name}`, labels: { tier, set: 'paged' } } })
  const path = '/api/v1/namespaces/default/configmaps'
  const names = (body: { items: { metadata: { name: string } }[] }) => body.items.map(({ metadata }) => metadata.name)
  const first = (await send('GET', `${path}?labelSelector=set%3Dpaged,tier%20in%20(web)&limit=2`)).body
  assert.deepEqual(names(first), ['page-a', 'page-c'])
  const rest = (
    await send('GET', `${path}?labelSelector=set%3Dpaged,tier%3Dweb&limit=2&continue=${encodeURIComponent(first.metadata.continue)}`)
  ).body
  assert.deepEqual(names(rest), ['page-d'])
  assert.equal(rest.metadata.continue, undefined)
  assert.deepEqual(names((await send('GET', `${path}?fieldSelector=metadata.name%3Dpage-b`)).body), ['page-b'])
  assert.equal((await send('GET', `${path}?labelSelector=%3D%3D`)).status, 400)
  assert.equal((await send('GET', `${path}?fieldSelector=data.x%3D1`)).status, 400)
})

test('many are deleted by a selector', async () => {
  for (const name of ['many-a', 'many-b', 'spared'])
    await send('POST', functionsPath, sampleFunction(name, { metadata: { labels: { gone: name === 'spared' ? 'no' : 'yes' } } }))
  const { body } = await send('DELETE', `${functionsPath}?labelSelector=gone%3Dyes`)
  assert.equal(body.items.length, 2)
  assert.equal((await send('GET', `${functionsPath}/many-a`)).status, 404)
  assert.equal((await send('GET', `${functionsPath}/spared`)).status, 200)
})

test('stringData of a secret becomes data, and its values stay out of the log and of errors', async () => {
  const created = await send('POST', secretsPath, { metadata: { name: 'keys' }, stringData: { password: 'hunter2' } })
  assert.deepEqual(created.body.data, { password: Buffer.from('hunter2').toString('base64') })
  assert.equal(created.body.stringData, undefined)
  assert.equal(created.body.type, 'Opaque')
  const wrong = await send('PATCH', `${secretsPath}/keys`, { data: { password: 'hunter2!' } }, mergeType)
  assert.equal(wrong.status, 422)
  assert.doesNotMatch(JSON.stringify(wrong.body), /hunter2/)
  assert.doesNotMatch(JSON.stringify(test_.lines), /hunter2|aHVudGVyMg/)
  assert.equal((await send('PATCH', `${secretsPath}/keys`, { type: 'other' }, mergeType)).status, 422)
})

test('an immutable secret keeps its data', async () => {
  await send('POST', secretsPath, { metadata: { name: 'fast' }, data: { a: 'YQ==' }, immutable: true })
  const { status, body } = await send('PATCH', `${secretsPath}/fast`, { data: { a: 'Yg==' } }, mergeType)
  assert.equal(status, 422)
  assert.deepEqual(body.details.causes, [{ reason: 'FieldValueInvalid', message: 'field is immutable', field: 'data' }])
  assert.equal((await send('PATCH', `${secretsPath}/fast`, { metadata: { labels: { a: 'b' } } }, mergeType)).status, 200)
})

test('revisions are made by the platform; users may label and delete them', async () => {
  const path = '/apis/kaon.dev/v1/namespaces/default/revisions'
  const { spec } = (await send('POST', `${functionsPath}?dryRun=All`, sampleFunction('frozen'))).body
  const { scale: _s, triggers: _t, traffic: _r, logging: _l, ...template } = spec
  const revision = { apiVersion: 'kaon.dev/v1', kind: 'Revision', metadata: { name: 'frozen-00001' }, spec: template }
  assert.equal((await send('POST', path, revision)).status, 403)
  const metadata = { name: 'frozen-00001', namespace: 'default', uid: 'u', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' }
  await store.write({
    kind: 'create',
    key: { resource: 'revisions.kaon.dev', namespace: 'default', name: 'frozen-00001' },
    object: { ...revision, metadata },
  })
  const changed = await send('PATCH', `${path}/frozen-00001`, { spec: { workers: 2 } }, mergeType)
  assert.equal(changed.status, 422)
  assert.equal(changed.body.details.causes[0].field, 'spec')
  assert.equal((await send('PATCH', `${path}/frozen-00001`, { metadata: { labels: { a: 'b' } } }, mergeType)).status, 200)
  assert.equal((await send('DELETE', `${path}/frozen-00001`)).status, 200)
})

test('nothing is created in a namespace that is missing or being deleted', async () => {
  const inside = (namespace: string) => send('POST', `/apis/kaon.dev/v1/namespaces/${namespace}/functions`, sampleFunction('x'))
  assert.equal((await inside('nowhere')).body.message, 'namespaces "nowhere" not found')
  const { body: created } = await send('POST', '/api/v1/namespaces', { metadata: { name: 'leaving' } })
  assert.deepEqual(created.metadata.finalizers, ['kaon.dev/contents'])
  assert.equal(created.status.phase, 'Active')
  const { body } = await send('DELETE', '/api/v1/namespaces/leaving')
  assert.equal(body.status.phase, 'Terminating')
  assert.ok(body.metadata.deletionTimestamp)
  assert.equal((await inside('leaving')).status, 403)
  assert.equal((await send('DELETE', '/api/v1/namespaces/default')).status, 403)
})

test('a replaced namespace keeps the finalizer that empties it', async () => {
  await send('POST', '/api/v1/namespaces', { metadata: { name: 'replaced' } })
  const { body } = await send('PUT', '/api/v1/namespaces/replaced', { metadata: { name: 'replaced', labels: { a: 'b' } } })
  assert.deepEqual(body.metadata.finalizers, ['kaon.dev/contents'])
})
