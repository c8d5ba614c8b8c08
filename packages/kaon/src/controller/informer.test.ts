import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KaonError } from '../base/errors.ts'
import { FakeClock, seededRandom } from '../base/fake-clock.ts'
import type { Log } from '../base/log.ts'
import type { Stored } from '../model/metadata.ts'
import type { ListResult, Store, WatchEvent } from '../stores/store.ts'
import { type Change, Informer } from './informer.ts'

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent }

function object(name: string, version: number): Stored {
  const metadata = {
    name,
    namespace: 'default',
    uid: name,
    resourceVersion: String(version),
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  }
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata }
}

function event(type: 'added' | 'modified' | 'deleted', name: string, version: number): WatchEvent {
  return {
    type,
    key: { resource: 'configmaps', namespace: 'default', name },
    object: object(name, version),
    resourceVersion: String(version),
  }
}

/** A store whose answers the test writes: each list, and then each watch, takes the next of the script. */
class ScriptedStore implements Pick<Store, 'list' | 'watch'> {
  readonly lists: (ListResult | Error)[]
  readonly watches: (WatchEvent[] | Error)[]
  readonly watchedAfter: string[] = []

  constructor(lists: (ListResult | Error)[], watches: (WatchEvent[] | Error)[]) {
    this.lists = lists
    this.watches = watches
  }

  async list(): Promise<ListResult> {
    const next = this.lists.shift()
    if (next === undefined) throw new Error('no more lists')
    if (next instanceof Error) throw next
    return next
  }

  async *watch({ after }: { after: string }): AsyncIterable<WatchEvent> {
    this.watchedAfter.push(after)
    const next = this.watches.shift() ?? []
    if (next instanceof Error) throw next
    yield* next
  }
}

async function play(store: ScriptedStore): Promise<{ informer: Informer; changes: string[] }> {
  const clock = new FakeClock()
  const informer = new Informer('configmaps', { store, clock, random: seededRandom(1), log: silent })
  const changes: string[] = []
  informer.onChange(({ key, before, after }: Change) => {
    changes.push(`${key.name} ${before?.metadata.resourceVersion ?? '-'} ${after?.metadata.resourceVersion ?? '-'}`)
  })
  const stop = new AbortController()
  const run = informer.run(stop.signal)
  for (let i = 0; i < 20; i++) await clock.advance(10_000)
  stop.abort()
  await run
  return { informer, changes }
}

test('it lists, and then follows from where the list stood', async () => {
  const store = new ScriptedStore(
    [{ items: [object('a', 1)], resourceVersion: '5' }],
    [[event('modified', 'a', 6), event('added', 'b', 7), event('deleted', 'a', 8)]],
  )
  const { informer, changes } = await play(store)
  assert.deepEqual(changes, ['a - 1', 'a 1 6', 'b - 7', 'a 6 -'])
  assert.equal(store.watchedAfter[0], '5')
  assert.deepEqual(
    informer.list().map(({ metadata }) => metadata.name),
    ['b'],
  )
})

test('when the history is gone it lists again, and tells only what differs', async () => {
  const store = new ScriptedStore(
    [
      { items: [object('a', 1), object('b', 2), object('c', 3)], resourceVersion: '3' },
      { items: [object('a', 1), object('b', 9)], resourceVersion: '9' },
    ],
    [new KaonError('expired', 'too old'), []],
  )
  const { changes } = await play(store)
  assert.deepEqual(changes, ['a - 1', 'b - 2', 'c - 3', 'b 2 9', 'c 3 -'])
  assert.deepEqual(store.watchedAfter, ['3', '9'])
})

test('a store that cannot be read is asked again until it can', async () => {
  const store = new ScriptedStore([new Error('away'), new Error('away'), { items: [object('a', 1)], resourceVersion: '1' }], [])
  const { informer } = await play(store)
  await informer.synced
  assert.equal(informer.get('default', 'a')?.metadata.resourceVersion, '1')
})
