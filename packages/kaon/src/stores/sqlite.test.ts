import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { createSystem } from '../app/system.ts'
import { FakeClock } from '../base/fake-clock.ts'
import { configMap, configMapKey, takeEvents, testStore } from './conformance.ts'
import { openSqliteStore, type SqliteStoreOptions } from './sqlite.ts'
import type { Store, WatchEvent } from './store.ts'

const { clock } = createSystem()

function temporaryFile(): { file: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'kaon-store-'))
  return { file: join(folder, 'store', 'store.sqlite'), remove: () => rmSync(folder, { recursive: true }) }
}

testStore('sqlite', async () => {
  const { file, remove } = temporaryFile()
  const store = await openSqliteStore({ file, clock })
  const reopen = async () => {
    await store[Symbol.asyncDispose]()
    return openSqliteStore({ file, clock })
  }
  return { store, reopen, dispose: async () => remove() }
})

async function openTemporary(t: TestContext, options: Partial<SqliteStoreOptions> = {}): Promise<{ store: Store; file: string }> {
  const { file, remove } = temporaryFile()
  const store = await openSqliteStore({ file, clock, ...options })
  t.after(async () => {
    await store[Symbol.asyncDispose]()
    remove()
  })
  return { store, file }
}

function create(store: Store, name: string, value = 'x') {
  return store.write({ kind: 'create', key: configMapKey(name), object: configMap(name, value) })
}

test('the thread runs from a bundle as well', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kaon-bundle-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const outfile = join(folder, 'store-thread.mjs')
  await build({ entryPoints: [join(import.meta.dirname, 'sqlite-thread.ts')], outfile, bundle: true, platform: 'node', format: 'esm' })
  const { store } = await openTemporary(t, { thread: pathToFileURL(outfile) })
  assert.equal((await create(store, 'a')).metadata.resourceVersion, '1')
})

test('the store is readable by its owner only', async (t) => {
  const { store, file } = await openTemporary(t)
  await create(store, 'a')
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.equal(statSync(`${file}-wal`).mode & 0o777, 0o600)
})

test('history is bounded by count, and a watch from before it is expired', async (t) => {
  const { store } = await openTemporary(t, { history: { maxEvents: 20 } })
  const first = await create(store, 'first')
  for (let i = 0; i < 40; i++) await create(store, `n${i}`)
  await assert.rejects(takeEvents(store, 1, { after: first.metadata.resourceVersion }), { code: 'expired' })
  const { resourceVersion } = await store.list({ resource: 'configmaps' })
  const kept = await takeEvents(store, 20, { after: String(Number(resourceVersion) - 20) })
  assert.equal(kept.at(-1)!.resourceVersion, resourceVersion)
})

test('history is bounded by size and by age', async (t) => {
  const fake = new FakeClock()
  const { store } = await openTemporary(t, { clock: fake, history: { maxBytes: 50_000, maxAgeMs: 600_000 } })
  const first = await create(store, 'first')
  for (let i = 0; i < 10; i++) await create(store, `n${i}`, 'x'.repeat(10_000))
  await assert.rejects(takeEvents(store, 1, { after: first.metadata.resourceVersion }), { code: 'expired' })
  const { resourceVersion } = await store.list({ resource: 'configmaps' })
  await create(store, 'young')
  assert.equal((await takeEvents(store, 1, { after: resourceVersion }))[0]!.key.name, 'young')
  await fake.advance(700_000)
  await create(store, 'later')
  await assert.rejects(takeEvents(store, 1, { after: resourceVersion }), { code: 'expired' })
})

test('the last resourceVersion outlives its objects and its history', async (t) => {
  const { file, remove } = temporaryFile()
  t.after(remove)
  const options = { file, clock, history: { maxEvents: 1 } }
  const first = await openSqliteStore(options)
  for (let i = 0; i < 5; i++) {
    await create(first, 'a')
    await first.write({ kind: 'delete', key: configMapKey('a') })
  }
  await first[Symbol.asyncDispose]()
  const second = await openSqliteStore(options)
  const made = await create(second, 'a')
  await second[Symbol.asyncDispose]()
  assert.equal(made.metadata.resourceVersion, '11')
})

test('a watch that begins long ago replays page by page while writes go on, without a gap', async (t) => {
  const { store } = await openTemporary(t)
  await Promise.all(Array.from({ length: 1200 }, (_, i) => create(store, `before-${i}`)))
  const watched = takeEvents(store, 1500, { after: '0' })
  await Promise.all(Array.from({ length: 300 }, (_, i) => create(store, `during-${i}`)))
  const versions = (await watched).map((event) => Number(event.resourceVersion))
  assert.deepEqual(
    versions,
    Array.from({ length: 1500 }, (_, i) => i + 1),
  )
})

test('a watcher that leaves too much waiting ends with expired', async (t) => {
  const { store } = await openTemporary(t, { watchLimits: { events: 10 } })
  const watch = store.watch({ resource: 'configmaps', after: '0', signal: new AbortController().signal })[Symbol.asyncIterator]()
  await Promise.all([watch.next(), create(store, 'first')])
  for (let i = 0; i < 12; i++) await create(store, `n${i}`)
  await assert.rejects(
    async () => {
      for (;;) await watch.next()
    },
    { code: 'expired' },
  )
})

test('a watcher that leaves too many bytes waiting ends with expired, and one that reads goes on', async (t) => {
  const { store } = await openTemporary(t, { watchLimits: { size: 50_000 } })
  const signal = new AbortController().signal
  const watch = () => store.watch({ resource: 'configmaps', after: '0', signal })[Symbol.asyncIterator]()
  const [stalled, reading] = [watch(), watch()]
  await Promise.all([stalled.next(), reading.next(), create(store, 'first')])
  for (let i = 0; i < 7; i++) {
    await create(store, `n${i}`, 'x'.repeat(10_000))
    assert.equal((await reading.next()).value.key.name, `n${i}`)
  }
  await assert.rejects(stalled.next(), { code: 'expired', message: 'The watch fell more than 50000 bytes behind.' })
})

test('when all watches together hold too much the slowest ends; an event that many wait for counts once', async (t) => {
  const { store } = await openTemporary(t, { watchLimits: { sizeInAll: 50_000 } })
  const signal = new AbortController().signal
  const watch = () => store.watch({ resource: 'configmaps', after: '0', signal })[Symbol.asyncIterator]()
  const stalled = [watch(), watch(), watch()]
  await Promise.all([...stalled.map((one) => one.next()), create(store, 'first')])
  for (let i = 0; i < 4; i++) await create(store, `n${i}`, 'x'.repeat(10_000))
  await stalled[0]!.next()
  await create(store, 'n4', 'x'.repeat(10_000))
  await assert.rejects(stalled[1]!.next(), { code: 'expired' })
  await assert.rejects(stalled[2]!.next(), { code: 'expired' })
  assert.equal((await stalled[0]!.next()).value.key.name, 'n1')
})

test('an idle watch gets a bookmark every thirty seconds with the version that it has seen', async (t) => {
  const fake = new FakeClock()
  const { store } = await openTemporary(t, { clock: fake })
  const watch = store.watch({ resource: 'secrets', after: '0', signal: new AbortController().signal })[Symbol.asyncIterator]()
  let next: Promise<IteratorResult<WatchEvent>> | undefined = watch.next()
  const made = await create(store, 'elsewhere')
  await store.get(configMapKey('elsewhere'))
  await fake.advance(30_000)
  assert.deepEqual((await next).value, { type: 'bookmark', resourceVersion: made.metadata.resourceVersion })
  next = watch.next()
  await fake.advance(30_000)
  assert.equal((await next).value.type, 'bookmark')
})

test('a store without room answers data_full, still reads, and takes smaller writes', async (t) => {
  const { store } = await openTemporary(t, { maxBytes: 400_000 })
  const small = await create(store, 'small')
  await assert.rejects(create(store, 'large', 'x'.repeat(500_000)), { code: 'data_full' })
  assert.deepEqual(await store.get(configMapKey('small')), small)
  assert.equal(await store.get(configMapKey('large')), undefined)
  assert.equal((await create(store, 'another')).metadata.resourceVersion, '2')
})

test('a full store takes deletes, and their room is used again', async (t) => {
  const { store } = await openTemporary(t, { maxBytes: 2_000_000, history: { maxBytes: 200_000 } })
  const fill = async (prefix: string) => {
    for (let i = 0; ; i++)
      try {
        await create(store, `${prefix}${i}`, 'x'.repeat(20_000))
      } catch (error) {
        assert.equal((error as { code: string }).code, 'data_full')
        return i
      }
  }
  const first = await fill('first-')
  for (let i = 0; i < first; i++) await store.write({ kind: 'delete', key: configMapKey(`first-${i}`) })
  const second = await fill('second-')
  assert.ok(first > 50 && second > first - 10, `${first} objects had room, then ${second}`)
})

test('a file that is no database, or damaged, is store_unavailable and left as it is', async (t) => {
  const { file, remove } = temporaryFile()
  t.after(remove)
  const store = await openSqliteStore({ file, clock })
  await store[Symbol.asyncDispose]()
  writeFileSync(file, 'This is not a database, but a text of some length.'.repeat(100))
  await assert.rejects(openSqliteStore({ file, clock }), (error: { code: string; hint: string }) => {
    assert.equal(error.code, 'store_unavailable')
    assert.match(error.hint, /backup/)
    return true
  })
  assert.equal(statSync(file).size, 5000)
})

test('a folder that cannot be made is data_read_only', async (t) => {
  const { file, remove } = temporaryFile()
  t.after(remove)
  const store = await openSqliteStore({ file, clock })
  await store[Symbol.asyncDispose]()
  await assert.rejects(openSqliteStore({ file: join(file, 'below-a-file', 'store.sqlite'), clock }), { code: 'data_read_only' })
})

test('a second store on the same file is refused with data_locked while the first goes on', async (t) => {
  const { store, file } = await openTemporary(t)
  await create(store, 'a')
  await assert.rejects(openSqliteStore({ file, clock }), { code: 'data_locked' })
  await create(store, 'b')
})

test('when its thread dies, what waits and what comes fails, watches end, and the owner is told once', async (t) => {
  const dying = `import { parentPort } from 'node:worker_threads'
    parentPort.postMessage({ kind: 'opened', version: 0 })
    parentPort.on('message', () => { throw new Error('a defect') })`
  const told: string[] = []
  const { store } = await openTemporary(t, {
    thread: new URL(`data:text/javascript,${encodeURIComponent(dying)}`),
    onLost: (error) => told.push(error.code),
  })
  const watching = takeEvents(store, 1, { after: '0' })
  await Promise.all([
    assert.rejects(create(store, 'a'), { code: 'store_unavailable' }),
    assert.rejects(watching, { code: 'store_unavailable' }),
  ])
  await assert.rejects(store.get(configMapKey('a')), { code: 'store_unavailable' })
  assert.deepEqual(told, ['store_unavailable'])
})

test('after it was closed every call fails with store_unavailable, and its watches end', async () => {
  const { file, remove } = temporaryFile()
  const store = await openSqliteStore({ file, clock })
  const watch = store.watch({ resource: 'configmaps', after: '0', signal: new AbortController().signal })[Symbol.asyncIterator]()
  const next = watch.next()
  const made = create(store, 'a')
  await next
  await made
  const end = watch.next()
  await store[Symbol.asyncDispose]()
  assert.equal((await end).done, true)
  await assert.rejects(store.get(configMapKey('a')), { code: 'store_unavailable' })
  await assert.rejects(create(store, 'b'), { code: 'store_unavailable' })
  remove()
})
