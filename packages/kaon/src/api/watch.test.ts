import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createSystem } from '../app/system.ts'
import type { Stored } from '../model/metadata.ts'
import { openSqliteStore } from '../stores/sqlite.ts'
import type { Store, WatchEvent } from '../stores/store.ts'
import { createTestApi } from './test-api.ts'
import { selectEvent } from './verbs/watch.ts'

const folder = mkdtempSync(join(tmpdir(), 'kaon-watch-'))
const path = '/api/v1/namespaces/default/configmaps'
const mergeType = { 'content-type': 'application/merge-patch+json' }
let store: Store
let test_: ReturnType<typeof createTestApi>

before(async () => {
  store = await openSqliteStore({ file: join(folder, 'store.sqlite'), clock: createSystem().clock })
  test_ = createTestApi(store)
  await test_.send('POST', '/api/v1/namespaces', { metadata: { name: 'default' } })
})

after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

type Event = {
  type: string
  object: { kind: string; code?: number; metadata: { name: string; resourceVersion: string; annotations?: object } }
}

/** The events of a watch, one at a time; `end` goes away as a client would. */
async function watch(query: string, headers: Record<string, string> = {}) {
  const response = await test_.api.request(`http://localhost${path}?watch=1&${query}`, { headers })
  assert.equal(response.status, 200)
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  let text = ''
  const next = async (): Promise<Event | undefined> => {
    while (!text.includes('\n')) {
      const { done, value } = await reader.read()
      if (done) return undefined
      text += new TextDecoder().decode(value)
    }
    const end = text.indexOf('\n')
    const line = text.slice(0, end)
    text = text.slice(end + 1)
    return JSON.parse(line)
  }
  return { next, end: () => reader.cancel() }
}

const brief = (event: Event | undefined) => `${event?.type} ${event?.object.metadata.name}`
const create = (name: string, labels = {}) => test_.send('POST', path, { metadata: { name, labels } })
const label = (name: string, labels: object) => test_.send('PATCH', `${path}/${name}`, { metadata: { labels } }, mergeType)
const versionNow = async () => (await test_.send('GET', path)).body.metadata.resourceVersion as string

test('a watch tells what happens after the version it names', async () => {
  const events = await watch(`resourceVersion=${await versionNow()}`)
  await create('told')
  await label('told', { a: 'b' })
  await test_.send('DELETE', `${path}/told`)
  assert.deepEqual(
    [brief(await events.next()), brief(await events.next()), brief(await events.next())],
    ['ADDED told', 'MODIFIED told', 'DELETED told'],
  )
  await events.end()
})

test('a watch without a version starts with all there is, and marks the end of it when asked to', async () => {
  await create('there')
  const events = await watch(
    'sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&fieldSelector=metadata.name%3Dthere',
  )
  assert.equal(brief(await events.next()), 'ADDED there')
  const mark = await events.next()
  assert.equal(mark?.type, 'BOOKMARK')
  assert.deepEqual(mark?.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' })
  await events.end()
})

test('an object that stops matching is deleted for the watcher, and added when it matches again', async () => {
  await create('moving', { tier: 'web' })
  await create('other', { tier: 'api' })
  const events = await watch(`labelSelector=tier%3Dweb&resourceVersion=${await versionNow()}`)
  const begun = events.next()
  await create('begun', { tier: 'web' })
  assert.equal(brief(await begun), 'ADDED begun')
  await label('other', { more: 'x' })
  await label('moving', { tier: 'api' })
  await label('moving', { more: 'x' })
  await label('moving', { tier: 'web' })
  await label('moving', { more: 'y' })
  const seen = [await events.next(), await events.next(), await events.next()].map(brief)
  assert.deepEqual(seen, ['DELETED moving', 'ADDED moving', 'MODIFIED moving'])
  await events.end()
})

test('a replayed change out of the selection is not missed', async () => {
  await create('replayed', { tier: 'web' })
  const before = await versionNow()
  await label('replayed', { tier: 'api' })
  const events = await watch(`labelSelector=tier%3Dweb&resourceVersion=${before}`)
  assert.equal(brief(await events.next()), 'DELETED replayed')
  await events.end()
})

test('a version that is no longer kept ends the watch with Expired', async () => {
  const short = await openSqliteStore({ file: join(folder, 'short.sqlite'), clock: createSystem().clock, history: { maxEvents: 2 } })
  const { api, send } = createTestApi(short)
  await send('POST', '/api/v1/namespaces', { metadata: { name: 'default' } })
  const { body } = await send('POST', path, { metadata: { name: 'first' } })
  for (const name of ['a', 'b', 'c', 'd']) await send('POST', path, { metadata: { name } })
  const response = await api.request(`http://localhost${path}?watch=1&resourceVersion=${body.metadata.resourceVersion}`)
  const lines = (await response.text()).trim().split('\n')
  const event = JSON.parse(lines[0] as string)
  assert.equal(event.type, 'ERROR')
  assert.equal(event.object.code, 410)
  assert.equal(event.object.reason, 'Expired')
  await short[Symbol.asyncDispose]()
})

test('a watch ends by itself when its time is up', async () => {
  const events = await watch(`resourceVersion=${await versionNow()}&timeoutSeconds=5`)
  const next = events.next()
  await test_.clock.advance(5000)
  assert.equal(await next, undefined)
})

test('a watch whose client takes nothing for a minute is broken off', async () => {
  const events = await watch(`resourceVersion=${await versionNow()}`)
  const next = events.next()
  await create('untaken')
  assert.equal(brief(await next), 'ADDED untaken')
  await test_.clock.advance(59_000)
  const second = events.next()
  await create('taken-in-time')
  assert.equal(brief(await second), 'ADDED taken-in-time')
  await test_.clock.advance(61_000)
  await assert.rejects(events.next(), /takes nothing/)
})

test('a thousand watches may be open; one more is told to wait, until one has ended', async () => {
  const { api } = createTestApi(store)
  const open = () => api.request(`http://localhost${path}?watch=1&resourceVersion=1`)
  const readers = []
  for (let i = 0; i < 1000; i++) {
    const reader = (await open()).body!.getReader()
    reader.read().catch(() => undefined)
    readers.push(reader)
  }
  const refused = await open()
  assert.equal(refused.status, 503)
  assert.equal(refused.headers.get('retry-after'), '10')
  await readers.pop()!.cancel()
  const taken = await open()
  assert.equal(taken.status, 200)
  await Promise.all([taken.body!.cancel(), ...readers.map((reader) => reader.cancel())])
})

test('a watch asked for as tables names the columns once', async () => {
  const events = await watch(`resourceVersion=${await versionNow()}`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
  await create('row-1')
  await create('row-2')
  // biome-ignore lint/suspicious/noExplicitAny: a table
  const [first, second] = [(await events.next()) as any, (await events.next()) as any]
  assert.equal(first.object.kind, 'Table')
  assert.deepEqual(
    first.object.columnDefinitions.map((column: { name: string }) => column.name),
    ['Name', 'Data', 'Age'],
  )
  assert.equal(second.object.columnDefinitions, null)
  assert.equal(second.object.rows[0].cells[0], 'row-2')
  assert.equal(second.object.rows[0].object.kind, 'PartialObjectMetadata')
  await events.end()
})

test('a watcher sees each object leave once for each time it came, whatever it missed', () => {
  const object = (uid: string, tier: string) => ({ metadata: { uid, name: uid, labels: { tier } } }) as unknown as Stored
  const event = (type: 'added' | 'modified' | 'deleted', tier: string): Exclude<WatchEvent, { type: 'bookmark' }> => ({
    type,
    key: { resource: 'configmaps', namespace: '', name: 'x' },
    object: object('x', tier),
    resourceVersion: '1',
  })
  const selection = {
    matches: (o: { metadata: { labels?: Record<string, string> } }) => o.metadata.labels?.tier === 'web',
    isLasting: false,
  }
  const types = (...events: ReturnType<typeof event>[]) => {
    const memory = new Map<string, boolean>()
    return events.map((one) => selectEvent(one, selection, memory)?.type)
  }
  assert.deepEqual(types(event('added', 'api'), event('modified', 'web'), event('deleted', 'web')), [undefined, 'ADDED', 'DELETED'])
  assert.deepEqual(types(event('modified', 'api'), event('modified', 'api')), ['DELETED', undefined])
  assert.deepEqual(types(event('added', 'web'), event('deleted', 'api')), ['ADDED', 'DELETED'])
  assert.deepEqual(types(event('deleted', 'api')), [undefined])
})
