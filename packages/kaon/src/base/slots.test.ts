import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSlots } from './slots.ts'

const never = new AbortController().signal

test('no more run at a time than there are slots, in the order they came', async () => {
  const slots = createSlots(2)
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>())
  const started: number[] = []
  const all = gates.map((gate, i) =>
    slots.run(never, async () => {
      started.push(i)
      await gate.promise
    }),
  )
  await Promise.resolve()
  assert.deepEqual(started, [0, 1])
  for (const gate of gates) gate.resolve()
  await Promise.all(all)
  assert.deepEqual(started, [0, 1, 2, 3])
})

test('who gives up waiting takes no slot, and a failed action gives its slot back', async () => {
  const slots = createSlots(1)
  const gate = Promise.withResolvers<void>()
  const first = slots.run(never, () => gate.promise)
  const leaving = new AbortController()
  const second = slots.run(leaving.signal, async () => assert.fail('it gave up'))
  const third = slots.run(never, () => Promise.reject(new Error('third')))
  leaving.abort(new Error('gave up'))
  await assert.rejects(second, /gave up/)
  gate.resolve()
  await first
  await assert.rejects(third, /third/)
  assert.equal(await slots.run(never, async () => 4), 4)
})
