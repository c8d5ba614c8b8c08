import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FakeClock } from '../../../base/fake-clock.ts'
import { Deadlines, type Timed } from './deadlines.ts'

type Item = Timed & { id: number }
const item = (id: number, deadlineAt: number): Item => ({ id, deadlineAt, isTimed: false, earlier: undefined, later: undefined })

function start() {
  const clock = new FakeClock(1_000)
  const due: number[] = []
  let earliest = 0
  let timers = 0
  const deps = {
    now: () => clock.now(),
    after: (delayMs: number, action: () => void) => {
      timers++
      clock.after(delayMs, action)
    },
    onEarliest: (at: number) => {
      earliest = at
    },
  }
  const deadlines = new Deadlines<Item>(deps, (timed) => due.push(timed.id))
  return { clock, due, deadlines, earliest: () => earliest, timers: () => timers }
}

test('deadlines come due in their order, whatever order they were added and removed in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.integer({ min: 1, max: 500 }), fc.boolean()), { maxLength: 40 }), async (entries) => {
      const { clock, due, deadlines, earliest } = start()
      const items = entries.map(([inMs], id) => item(id, clock.now() + inMs))
      for (const each of items) deadlines.add(each)
      for (const [id, [, isRemoved]] of entries.entries()) if (isRemoved) deadlines.remove(items[id] as Item)
      const kept = items.filter((_, id) => !entries[id]?.[1])
      assert.equal(earliest(), kept.length === 0 ? 0 : Math.min(...kept.map((each) => each.deadlineAt)))
      await clock.advance(1_000)
      assert.deepEqual(
        due,
        kept.toSorted((a, b) => a.deadlineAt - b.deadlineAt || a.id - b.id).map((each) => each.id),
      )
      assert.equal(earliest(), 0)
    }),
    { seed: 3, numRuns: 200 },
  )
})

test('calls with the same timeout that end in time share one timer', async () => {
  const { clock, due, deadlines, timers } = start()
  for (let id = 0; id < 100; id++) {
    const each = item(id, clock.now() + 30_000)
    deadlines.add(each)
    await clock.advance(10)
    deadlines.remove(each)
  }
  assert.equal(timers(), 1)
  assert.deepEqual(due, [])
})
