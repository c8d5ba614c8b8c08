import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Resource } from '../model/metadata.ts'
import type { ObjectKey, Store, WatchEvent } from './store.ts'

export type StoreUnderTest = {
  store: Store
  /** Closes the store and opens it again on the same data, where the kind keeps any. */
  reopen?: () => Promise<Store>
  dispose?: () => Promise<void>
}

export function configMapKey(name: string, namespace = 'default'): ObjectKey {
  return { resource: 'configmaps', namespace, name }
}

export function configMap(name: string, value: string, namespace = 'default'): Resource {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { value } }
}

/** Reads a watch until it has `count` events (bookmarks aside) or ten seconds have passed. */
export async function takeEvents(store: Store, count: number, query: { resource?: string; namespace?: string; after: string }) {
  const events: Exclude<WatchEvent, { type: 'bookmark' }>[] = []
  const deadline = AbortSignal.timeout(10_000)
  for await (const event of store.watch({ resource: 'configmaps', ...query, signal: deadline })) {
    if (event.type !== 'bookmark') events.push(event)
    if (events.length >= count) return events
  }
  throw new Error(`The watch gave ${events.length} of ${count} events in time.`)
}

/** What every store must do. Each test opens one of its own. */
export function testStore(name: string, open: () => Promise<StoreUnderTest>): void {
  const check = (title: string, body: (under: StoreUnderTest) => Promise<void>) =>
    test(title, async () => {
      const under = await open()
      try {
        await body(under)
      } finally {
        await under.store[Symbol.asyncDispose]()
        await under.dispose?.()
      }
    })

  describe(`${name} keeps the promises of a store`, () => {
    describe('objects', () => testObjects(check))
    describe('lists', () => testLists(check))
    describe('watches', () => testWatches(check))
    describe('durability', () => testReopening(check))
  })
}

type Check = (title: string, body: (under: StoreUnderTest) => Promise<void>) => void

function create(store: Store, name: string, value = 'x', namespace = 'default') {
  return store.write({ kind: 'create', key: configMapKey(name, namespace), object: configMap(name, value, namespace) })
}

function update(store: Store, name: string, value: string, expected: string) {
  return store.write({ kind: 'update', key: configMapKey(name), object: configMap(name, value), expected })
}

function testObjects(check: Check): void {
  check('what was written is read back, with a resourceVersion that grows with each write', async ({ store }) => {
    const created = await create(store, 'a', 'one')
    assert.deepEqual(await store.get(configMapKey('a')), created)
    const updated = await update(store, 'a', 'two', created.metadata.resourceVersion)
    assert.ok(BigInt(updated.metadata.resourceVersion) > BigInt(created.metadata.resourceVersion))
    assert.deepEqual((await store.get(configMapKey('a')))?.data, { value: 'two' })
    assert.equal(await store.get(configMapKey('b')), undefined)
  })

  check('creating what is there fails with already_exists, and changes nothing', async ({ store }) => {
    const created = await create(store, 'a')
    await assert.rejects(create(store, 'a', 'other'), { code: 'already_exists' })
    assert.deepEqual(await store.get(configMapKey('a')), created)
  })

  check('an update or a delete of an older version fails with conflict, and of nothing with not_found', async ({ store }) => {
    const created = await create(store, 'a')
    await update(store, 'a', 'two', created.metadata.resourceVersion)
    const expected = created.metadata.resourceVersion
    await assert.rejects(update(store, 'a', 'three', expected), { code: 'conflict' })
    await assert.rejects(store.write({ kind: 'delete', key: configMapKey('a'), expected }), { code: 'conflict' })
    await assert.rejects(update(store, 'b', 'x', expected), { code: 'not_found' })
    await assert.rejects(store.write({ kind: 'delete', key: configMapKey('b') }), { code: 'not_found' })
  })

  check('a delete answers the object as it last stood, and it is gone', async ({ store }) => {
    await create(store, 'a', 'last')
    const deleted = await store.write({ kind: 'delete', key: configMapKey('a') })
    assert.deepEqual(deleted.data, { value: 'last' })
    assert.equal(await store.get(configMapKey('a')), undefined)
  })

  check('an object made again after its deletion has a new resourceVersion', async ({ store }) => {
    const first = await create(store, 'a')
    await store.write({ kind: 'delete', key: configMapKey('a') })
    const second = await create(store, 'a')
    assert.ok(BigInt(second.metadata.resourceVersion) > BigInt(first.metadata.resourceVersion))
    await assert.rejects(update(store, 'a', 'x', first.metadata.resourceVersion), { code: 'conflict' })
  })

  check('of fifty writers that compare and set at once, one wins', async ({ store }) => {
    let { resourceVersion } = (await create(store, 'a')).metadata
    for (let round = 0; round < 5; round++) {
      const writers = Array.from({ length: 50 }, (_, i) => update(store, 'a', `${round}-${i}`, resourceVersion))
      const results = await Promise.allSettled(writers)
      const won = results.filter((result) => result.status === 'fulfilled')
      assert.equal(won.length, 1)
      assert.ok(results.every((result) => result.status === 'fulfilled' || result.reason.code === 'conflict'))
      assert.deepEqual(await store.get(configMapKey('a')), won[0]!.value)
      resourceVersion = won[0]!.value.metadata.resourceVersion
    }
  })
}

function testLists(check: Check): void {
  check('a list holds one resource, of one namespace or of all, in order of namespace and name', async ({ store }) => {
    await Promise.all([create(store, 'b', 'x', 'two'), create(store, 'c'), create(store, 'a'), create(store, 'z', 'x', 'two')])
    await store.write({ kind: 'create', key: { resource: 'secrets', namespace: 'default', name: 's' }, object: configMap('s', 'x') })
    const names = async (namespace?: string) =>
      (await store.list({ resource: 'configmaps', ...(namespace === undefined ? {} : { namespace }) })).items.map(
        (item) => item.metadata.name,
      )
    assert.deepEqual(await names(), ['a', 'c', 'b', 'z'])
    assert.deepEqual(await names('two'), ['b', 'z'])
    assert.deepEqual(await names('none'), [])
  })

  check('pages together hold what the list held at the first page, or the next one is expired', async ({ store }) => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await create(store, name)
    const first = await store.list({ resource: 'configmaps', limit: 2 })
    const second = await store.list({ resource: 'configmaps', limit: 2, continueFrom: first.continueFrom! })
    const third = await store.list({ resource: 'configmaps', limit: 2, continueFrom: second.continueFrom! })
    const names = [first, second, third].flatMap((page) => page.items.map((item) => item.metadata.name))
    assert.deepEqual(names, ['a', 'b', 'c', 'd', 'e'])
    assert.equal(third.continueFrom, undefined)
    assert.equal(third.resourceVersion, first.resourceVersion)
    await store.write({ kind: 'delete', key: configMapKey('e') })
    const rest = store
      .list({ resource: 'configmaps', continueFrom: first.continueFrom! })
      .then((page) => page.items.map((i) => i.metadata.name))
    assert.deepEqual(
      await rest.catch((error) => error.code),
      await rest.then(
        () => ['c', 'd', 'e'],
        () => 'expired',
      ),
    )
  })

  check('a continue token that the store did not make is refused', async ({ store }) => {
    await assert.rejects(store.list({ resource: 'configmaps', continueFrom: 'nonsense' }), { code: 'invalid_request' })
  })
}

function testWatches(check: Check): void {
  check('a watch replays what happened after a version and goes on live, missing and repeating nothing', async ({ store }) => {
    const { resourceVersion: start } = await store.list({ resource: 'configmaps' })
    const all = takeEvents(store, 300, { after: start })
    const writes: Promise<unknown>[] = []
    for (let i = 0; i < 100; i++) {
      const name = `n${i}`
      writes.push(
        create(store, name)
          .then((made) => update(store, name, 'two', made.metadata.resourceVersion))
          .then(() => store.write({ kind: 'delete', key: configMapKey(name) })),
      )
      if (i % 10 === 0) await writes[i]
    }
    const late = takeEvents(store, 300, { after: start })
    await Promise.all(writes)
    const seen = await all
    const versions = seen.map((event) => BigInt(event.resourceVersion))
    assert.deepEqual(
      versions,
      [...new Set(versions)].sort((a, b) => (a < b ? -1 : 1)),
    )
    assert.deepEqual(await late, seen, 'two watchers see the same events in the same order')
    assert.deepEqual(await takeEvents(store, 300, { after: start }), seen, 'a watch from before sees them too')
    for (const event of seen) assert.equal(event.object.metadata.resourceVersion, event.resourceVersion)
    const types = seen.filter((event) => event.key.name === 'n42').map((event) => event.type)
    assert.deepEqual(types, ['added', 'modified', 'deleted'])
  })

  check('a watch sees its namespace and its resource only', async ({ store }) => {
    await create(store, 'a', 'x', 'one')
    await create(store, 'b', 'x', 'two')
    await create(store, 'c', 'x', 'one')
    const events = await takeEvents(store, 2, { namespace: 'one', after: '0' })
    assert.deepEqual(
      events.map((event) => event.key.name),
      ['a', 'c'],
    )
  })

  check('an aborted watch ends without an error', async ({ store }) => {
    const abort = new AbortController()
    const ended = (async () => {
      for await (const event of store.watch({ resource: 'configmaps', after: '0', signal: abort.signal })) {
        assert.equal(event.type, 'added')
        abort.abort()
      }
    })()
    await create(store, 'a')
    await ended
  })

  check('a version that was never given out is expired', async ({ store }) => {
    await assert.rejects(takeEvents(store, 1, { after: '123456789' }), { code: 'expired' })
  })

  check('what a reader does to an object changes nobody else’s', async ({ store }) => {
    const created = await create(store, 'a', 'mine')
    ;(created as Resource).data = 'spoilt'
    const [event] = await takeEvents(store, 1, { after: '0' })
    assert.deepEqual(event!.object.data, { value: 'mine' })
  })
}

function testReopening(check: Check): void {
  check('objects, history and the last resourceVersion are there after a restart', async (under) => {
    if (under.reopen === undefined) return
    const before = await create(under.store, 'a')
    const deleted = await create(under.store, 'b').then(() => under.store.write({ kind: 'delete', key: configMapKey('b') }))
    under.store = await under.reopen()
    assert.deepEqual(await under.store.get(configMapKey('a')), before)
    const events = await takeEvents(under.store, 3, { after: '0' })
    assert.deepEqual(
      events.map((event) => event.type),
      ['added', 'added', 'deleted'],
    )
    assert.equal((await under.store.list({ resource: 'configmaps' })).resourceVersion, deleted.metadata.resourceVersion)
    const after = await create(under.store, 'c')
    assert.ok(BigInt(after.metadata.resourceVersion) > BigInt(deleted.metadata.resourceVersion))
  })
}
