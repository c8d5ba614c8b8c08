import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FakeClock } from '../base/fake-clock.ts'
import { type Held, HoldQueue } from './hold-queue.ts'
import { type PoolReplica, type PoolWorker, RevisionPool } from './revision-pool.ts'
import { createTimed, type Timed, TimerWheel } from './timer-wheel.ts'
import { createDraw } from './weighted-choice.ts'

function replica(id: string): PoolReplica<string> {
  return { id, inFlight: 0, workers: [] }
}

test('a limit is never passed, and room is always found', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.constant('take') },
    { weight: 4, arbitrary: fc.constant('release') },
    { weight: 1, arbitrary: fc.constant('toggle') },
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.tuple(step, fc.nat()), { maxLength: 200 }),
      (limit, count, steps) => {
        const pool = new RevisionPool<string>(limit, createDraw(steps.length + 1))
        const replicas = Array.from({ length: count }, (_, i) => replica(`r${i}`))
        const workers = replicas.map((one) => pool.add(one, one.id))
        const taken: PoolWorker<string>[] = []
        for (const [what, n] of steps) {
          if (what === 'toggle') {
            const one = replicas[n % count] as PoolReplica<string>
            const worker = one.workers[0]
            if (worker !== undefined) pool.remove(worker)
            else workers[n % count] = pool.add(one, one.id)
          } else if (what === 'release') {
            const [worker] = taken.splice(n % Math.max(1, taken.length), 1)
            if (worker !== undefined) pool.release(worker)
          } else {
            const expected = replicas.some((one) => one.workers.length > 0 && one.inFlight < limit)
            const worker = pool.take()
            assert.equal(worker !== undefined, expected)
            if (worker !== undefined) taken.push(worker)
          }
          assert.ok(replicas.every((one) => one.inFlight >= 0 && one.inFlight <= limit))
          assert.equal(pool.inFlight, taken.length)
        }
      },
    ),
    { seed: 5, numRuns: 500 },
  )
})

test('calls spread over replicas and over the workers of each', () => {
  const pool = new RevisionPool<string>(0, createDraw(1))
  const replicas = [replica('a'), replica('b'), replica('c')]
  for (const one of replicas) for (const index of [0, 1]) pool.add(one, `${one.id}${index}`)
  const workers = Array.from({ length: 600 }, () => pool.take() as PoolWorker<string>)
  for (const one of replicas) assert.ok(Math.abs(one.inFlight - 200) <= 5, `${one.inFlight}`)
  for (const one of replicas) assert.ok(Math.abs((one.workers[0]?.inFlight ?? 0) - (one.workers[1]?.inFlight ?? 0)) <= 1)
  for (const worker of workers) pool.release(worker)
  assert.equal(pool.inFlight, 0)
})

test('a worker that refused a call as full is left alone until something ends there', () => {
  const pool = new RevisionPool<string>(0, createDraw(1))
  pool.add(replica('a'), 'a0')
  const one = pool.take() as PoolWorker<string>
  one.isFull = true
  assert.equal(pool.take(), undefined)
  pool.release(one)
  assert.equal(pool.take(), one)
})

function held(bytes = 1): Held {
  return { heldBytes: bytes, queue: undefined, before: undefined, behind: undefined }
}

test('a queue keeps its order and its bounds, whoever leaves it', () => {
  const queue = new HoldQueue({ maxHeld: 3, maxHeldBytes: 10 })
  const [a, b, c, d] = [held(), held(), held(), held()]
  assert.deepEqual([queue.push(a), queue.push(b), queue.push(c), queue.push(d)], [true, true, true, false])
  queue.remove(b)
  queue.remove(b)
  assert.equal(queue.unshift(d), true)
  const order: Held[] = []
  for (let first = queue.first; first !== undefined; first = queue.first) {
    order.push(first)
    queue.remove(first)
  }
  assert.deepEqual(order, [d, a, c])
  assert.equal(queue.push(held(11)), false)
  assert.equal(queue.push(held(10)), true)
  assert.equal(queue.push(held(1)), false)
})

test('every timer is due once, not early and at most a tick late, unless it was taken back', async () => {
  const clock = new FakeClock(12_345)
  const wheel = new TimerWheel(clock)
  const seen = new Map<number, number>()
  const draw = createDraw(9)
  const timers: { timed: Timed; at: number }[] = []
  for (let i = 0; i < 500; i++) {
    const at = clock.monotonic() + Math.floor(draw() * 30_000)
    const timed = createTimed(() => {
      assert.equal(seen.has(i), false)
      seen.set(i, clock.monotonic())
    })
    wheel.add(timed, at)
    timers.push({ timed, at })
    if (i % 10 === 0) await clock.advance(7)
  }
  const taken = new Set<number>()
  for (const [i, { timed }] of timers.entries()) {
    if (i % 3 !== 0 || seen.has(i)) continue
    wheel.remove(timed)
    taken.add(i)
  }
  await clock.advance(40_000)
  for (const [i, { at }] of timers.entries()) {
    const firedAt = seen.get(i)
    if (taken.has(i)) assert.equal(firedAt, undefined)
    else assert.ok(firedAt !== undefined && firedAt >= at && firedAt <= at + 20, `${i}: due ${at}, fired ${firedAt}`)
  }
  wheel.add(
    createTimed(() => seen.set(-1, clock.monotonic())),
    clock.monotonic() - 5,
  )
  await clock.advance(20)
  assert.ok(seen.has(-1))
})
