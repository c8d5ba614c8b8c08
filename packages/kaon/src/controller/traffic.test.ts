import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type RevisionFact, resolveTraffic, scaleTo100 } from './traffic.ts'

const fact = (number: number, isStarted = true, readyReplicas = 1): RevisionFact => ({
  name: `f-0000${number}`,
  uid: `u${number}`,
  number,
  isStarted,
  readyReplicas,
})

test('without targets everything goes to the latest started revision', () => {
  const { shares, problems } = resolveTraffic([], [fact(1), fact(2), fact(3, false, 0)], [])
  assert.deepEqual(shares, [{ revision: 'f-00002', uid: 'u2', percent: 100, latest: true }])
  assert.deepEqual(problems, [])
})

test('a share of a revision that is not ready goes to the others, and is told', () => {
  const targets = [
    { revision: 'latest', percent: 60 },
    { revision: 'f-00001', percent: 40 },
  ]
  const { shares, problems } = resolveTraffic(targets, [fact(1, false, 0), fact(2)], [])
  assert.deepEqual(shares, [{ revision: 'f-00002', uid: 'u2', percent: 100, latest: true }])
  assert.equal(problems[0]?.reason, 'RevisionNotReady')
})

test('a started revision without replicas gets its share when its first replica is ready', () => {
  const targets = [
    { revision: 'latest', percent: 60 },
    { revision: 'f-00001', percent: 40 },
  ]
  const waiting = resolveTraffic(targets, [fact(1, true, 0), fact(2)], [])
  assert.deepEqual(
    waiting.shares.map(({ percent }) => percent),
    [100, 0],
  )
  const there = resolveTraffic(targets, [fact(1), fact(2)], [])
  assert.deepEqual(
    there.shares.map(({ percent }) => percent),
    [60, 40],
  )
})

test('traffic stays where it was while the revision that is asked for is missing', () => {
  const { shares } = resolveTraffic([{ revision: 'f-00009', percent: 100 }], [fact(1), fact(2)], [{ revision: 'f-00001', percent: 100 }])
  assert.deepEqual(shares, [{ revision: 'f-00001', uid: 'u1', percent: 100 }])
})

test('a tag alone takes no share', () => {
  const targets = [
    { revision: 'latest', percent: 100 },
    { revision: 'f-00001', tag: 'old' },
  ]
  const { shares } = resolveTraffic(targets, [fact(1), fact(2)], [])
  assert.deepEqual(
    shares.map(({ tag, percent }) => [tag, percent]),
    [
      [undefined, 100],
      ['old', 0],
    ],
  )
})

test('only started revisions get traffic, and the percentages add up to 100', () => {
  const facts = fc.uniqueArray(fc.record({ number: fc.integer({ min: 1, max: 9 }), isStarted: fc.boolean(), readyReplicas: fc.nat(2) }), {
    selector: ({ number }) => number,
    maxLength: 6,
  })
  const name = fc.integer({ min: 1, max: 9 }).map((n) => `f-0000${n}`)
  const target = fc.record({ revision: fc.oneof(fc.constant('latest'), name), percent: fc.nat(100) })
  fc.assert(
    fc.property(
      facts,
      fc.array(target, { maxLength: 5 }),
      fc.array(fc.record({ revision: name, percent: fc.nat(100) }), { maxLength: 3 }),
      (some, targets, previous) => {
        const revisions = some.map(({ number, isStarted, readyReplicas }) => fact(number, isStarted, readyReplicas))
        const { shares } = resolveTraffic(targets, revisions, previous)
        for (const share of shares) assert.equal(revisions.find(({ uid }) => uid === share.uid)?.isStarted, true)
        const total = shares.reduce((sum, { percent }) => sum + percent, 0)
        assert.equal(total, revisions.some(({ isStarted }) => isStarted) ? 100 : 0)
      },
    ),
  )
})

test('scaled percentages are whole, add up to 100 and are less than one off', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 20 }), (weights) => {
      const total = weights.reduce((a, b) => a + b, 0)
      const percents = scaleTo100(weights)
      assert.equal(
        percents.reduce((a, b) => a + b, 0),
        100,
      )
      percents.forEach((percent, index) => {
        assert.ok(Math.abs(percent - ((weights[index] as number) * 100) / total) < 1)
      })
    }),
  )
})
