import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock, seededRandom } from '../base/fake-clock.ts'
import { WorkQueue } from './work-queue.ts'

const backoff = { firstMs: 10, maxMs: 1_000 }
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a key that is added while it is worked on is worked on once more, and never twice at once', async () => {
  const gates: (() => void)[] = []
  let running = 0
  let runs = 0
  const queue = new WorkQueue({
    clock: new FakeClock(),
    random: seededRandom(1),
    parallelism: 4,
    backoff,
    async handle() {
      assert.equal(++running, 1)
      runs++
      await new Promise<void>((resolve) => gates.push(resolve))
      running--
      return undefined
    },
  })
  queue.add('a')
  queue.add('a')
  queue.add('a')
  await turn()
  assert.equal(runs, 1)
  queue.add('a')
  gates.shift()?.()
  await turn()
  assert.equal(runs, 2)
  gates.shift()?.()
  await turn()
  assert.equal(queue.depth, 0)
})

test('no more keys are worked on side by side than allowed', async () => {
  let running = 0
  let most = 0
  const queue = new WorkQueue({
    clock: new FakeClock(),
    random: seededRandom(1),
    parallelism: 3,
    backoff,
    async handle() {
      most = Math.max(most, ++running)
      await turn()
      running--
      return undefined
    },
  })
  for (let i = 0; i < 20; i++) queue.add(`key ${i}`)
  while (queue.depth > 0) await turn()
  assert.equal(most, 3)
})

test('a key that fails comes back, later each time, and from the start after a success', async () => {
  const clock = new FakeClock()
  const at: number[] = []
  let failing = true
  const queue = new WorkQueue({
    clock,
    random: { fraction: () => 1 },
    parallelism: 1,
    backoff,
    async handle() {
      at.push(clock.now() - 1_700_000_000_000)
      if (failing) throw new Error('not yet')
      return undefined
    },
  })
  queue.add('a')
  await turn()
  await clock.advance(75)
  assert.deepEqual(at, [0, 10, 30, 70])
  failing = false
  await clock.advance(100)
  failing = true
  at.length = 0
  queue.add('a')
  await turn()
  await clock.advance(10)
  assert.equal(at.length, 2)
})

test('after it was stopped nothing is worked on any more', async () => {
  const clock = new FakeClock()
  let runs = 0
  const queue = new WorkQueue({
    clock,
    random: seededRandom(1),
    parallelism: 1,
    backoff,
    async handle() {
      runs++
      return { afterMs: 10 }
    },
  })
  queue.add('a')
  await turn()
  await clock.advance(15)
  assert.equal(runs, 2)
  await queue.stop()
  queue.add('b')
  await clock.advance(1_000)
  assert.equal(runs, 2)
})
