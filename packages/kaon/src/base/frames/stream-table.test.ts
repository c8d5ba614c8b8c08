import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../fake-clock.ts'
import { StreamTable } from './stream-table.ts'

test('streams are found by numbers that only rise, however long some of them live', () => {
  const table = new StreamTable<{ id: number }>()
  const model = new Map<number, { id: number }>()
  const { fraction: draw } = seededRandom(3)
  let last = 0
  for (let i = 0; i < 50_000; i++) {
    const wanted = i % 10_000 < 5_000 ? 700 : 20
    if (model.size < wanted) {
      const stream = { id: table.nextNumber() }
      assert.ok(stream.id > last)
      last = stream.id
      table.add(stream)
      model.set(stream.id, stream)
    } else {
      const ids = [...model.keys()]
      const id = ids[Math.floor(draw() * ids.length)] as number
      const stream = model.get(id) as { id: number }
      assert.equal(table.get(id), stream)
      assert.equal(table.delete(stream), true)
      assert.equal(table.delete(stream), false)
      assert.equal(table.get(id), undefined)
      model.delete(id)
    }
    assert.equal(table.size, model.size)
  }
  assert.deepEqual(
    table.all(),
    [...model.values()].sort((a, b) => a.id - b.id),
  )
  assert.equal(table.isWornOut, false)
  table.add({ id: 0xffff_ff00 })
  assert.equal(table.isWornOut, true)
})
