import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kindNamed, kinds } from '../../model/kinds.ts'
import type { Stored } from '../../model/metadata.ts'
import { parseColumnPath, readColumn } from './column-path.ts'
import { humanDuration } from './human-duration.ts'
import { tableOf } from './table.ts'

test('every column of every kind has a path that is understood', () => {
  for (const { columns } of kinds) for (const { path } of columns) if (path !== 'age') parseColumnPath(path)
  assert.throws(() => parseColumnPath('.a[0]'))
})

test('a path reads members, escaped names, the item of a type, and counts', () => {
  const object = {
    a: { 'b.c/d': 1 },
    list: [
      { type: 'Built', status: 'False' },
      { type: 'Ready', status: 'True' },
    ],
    data: { x: '', y: '' },
  }
  const at = (path: string) => readColumn(parseColumnPath(path), object)
  assert.equal(at('.a.b\\.c/d'), 1)
  assert.equal(at('.list[?(@.type=="Ready")].status'), 'True')
  assert.equal(at('.list[?(@.type=="Other")].status'), undefined)
  assert.equal(at('count(.data)'), 2)
  assert.equal(at('count(.list)'), 2)
  assert.equal(at('count(.missing)'), 0)
  assert.equal(at('.data.toString'), undefined)
})

test('durations read as kubectl writes them', () => {
  const second = 1000
  const hour = 3600 * second
  const cases: [number, string][] = [
    [-5 * second, '0s'],
    [119 * second, '119s'],
    [120 * second, '2m'],
    [190 * second, '3m10s'],
    [11 * 60 * second, '11m'],
    [179 * 60 * second, '179m'],
    [3 * hour, '3h'],
    [5 * hour + 120 * second, '5h2m'],
    [47 * hour, '47h'],
    [50 * hour, '2d2h'],
    [100 * 24 * hour, '100d'],
    [800 * 24 * hour, '2y70d'],
    [3650 * 24 * hour, '10y'],
  ]
  for (const [ms, text] of cases) assert.equal(humanDuration(ms), text)
})

test('a table has a cell for each column, empty where there is nothing', () => {
  const nowMs = Date.UTC(2026, 0, 1, 0, 5)
  const metadata = { name: 'shop', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' }
  const route = { apiVersion: 'kaon.dev/v1', kind: 'Route', metadata, spec: { hosts: ['a.example', 'b.example'] } } as Stored
  const table = tableOf(kindNamed('Route'), [route], { nowMs, include: 'None', metadata: {} })
  assert.deepEqual(table.rows, [{ cells: ['shop', 'a.example,b.example', null, null, '5m'] }])
})
