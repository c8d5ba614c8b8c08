import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../../base/fake-clock.ts'
import { OpenStreams } from './open-streams.ts'

test('streams are found by their numbers, however long some of them live and whatever numbers the gateway picks', () => {
  const open = new OpenStreams<{ stream: number }>()
  const model = new Map<number, { stream: number }>()
  const { fraction: draw } = seededRandom(4)
  let last = 0
  for (let i = 0; i < 50_000; i++) {
    const wanted = i % 10_000 < 5_000 ? 700 : 20
    if (model.size < wanted) {
      last += draw() < 0.9 ? 1 : 256
      const one = { stream: last }
      open.add(one)
      model.set(last, one)
    } else {
      const numbers = [...model.keys()]
      const stream = numbers[Math.floor(draw() * numbers.length)] as number
      assert.equal(open.get(stream), model.get(stream))
      open.delete(stream)
      open.delete(stream)
      assert.equal(open.get(stream), undefined)
      model.delete(stream)
    }
    assert.equal(open.size, model.size)
  }
  assert.deepEqual(
    open.all(),
    [...model.values()].sort((a, b) => a.stream - b.stream),
  )
  const largest = { stream: 0xffff_ffff }
  open.add(largest)
  assert.equal(open.get(0xffff_ffff), largest)
  open.clear()
  assert.deepEqual([open.size, open.all()], [0, []])
})
