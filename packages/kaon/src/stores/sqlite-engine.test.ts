import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { SqliteEngine } from './sqlite-engine.ts'
import type { FromThread, HistoryAnswer, WriteRequest } from './sqlite-messages.ts'

const key = (name: string) => ({ resource: 'configmaps', namespace: 'default', name })
const created = (id: number, name: string): WriteRequest => ({ id, kind: 'create', key: key(name), json: '{}' })

test('writes that came together are one commit, in which each has its own outcome', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kaon-engine-'))
  const posted: FromThread[] = []
  const settings = { file: join(folder, 'store.sqlite'), maxBytes: 2 ** 30, history: { maxEvents: 100, maxAgeMs: 1e9, maxBytes: 1e9 } }
  const engine = new SqliteEngine({ settings, post: (message) => posted.push(message), after: () => assert.fail('nothing failed') })
  t.after(() => {
    engine.close()
    rmSync(folder, { recursive: true })
  })
  engine.open()
  engine.write(
    [created(1, 'a'), created(2, 'a'), { id: 3, kind: 'update', key: key('a'), json: '{"x":1}', expected: '1' }, created(4, 'b')],
    0,
  )
  assert.equal(posted.length, 2)
  const [opened, committed] = posted
  assert.deepEqual(opened, { kind: 'opened', version: 0 })
  assert.ok(committed?.kind === 'committed')
  assert.deepEqual(
    committed.events.map((event) => [event.version, event.type, event.key.name]),
    [
      [1, 'added', 'a'],
      [2, 'modified', 'a'],
      [3, 'added', 'b'],
    ],
  )
  assert.deepEqual(
    committed.outcomes.map((outcome) => ('row' in outcome ? outcome.row.version : outcome.refusal.code)),
    [1, 'already_exists', 2, 3],
  )
})

test('a page of the history ends after 4 MiB, and the next goes on from there', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kaon-engine-'))
  const posted: FromThread[] = []
  const settings = { file: join(folder, 'store.sqlite'), maxBytes: 2 ** 30, history: { maxEvents: 100, maxAgeMs: 1e9, maxBytes: 1e9 } }
  const engine = new SqliteEngine({ settings, post: (message) => posted.push(message), after: () => assert.fail('nothing failed') })
  t.after(() => {
    engine.close()
    rmSync(folder, { recursive: true })
  })
  engine.open()
  const json = JSON.stringify('x'.repeat(1_500_000))
  engine.write(
    ['a', 'b', 'c', 'd'].map((name, id) => ({ id, kind: 'create', key: key(name), json })),
    0,
  )
  const page = (after: string) => {
    engine.read(1, { kind: 'history', resource: 'configmaps', after, limit: 500 })
    const { events, ...rest } = (posted.at(-1) as Extract<FromThread, { kind: 'answer' }>).answer as HistoryAnswer
    return { names: events.map((event) => event.key.name).join(''), ...rest }
  }
  assert.deepEqual(page('0'), { names: 'abc', version: 3, complete: false })
  assert.deepEqual(page('3'), { names: 'd', version: 4, complete: true })
})
