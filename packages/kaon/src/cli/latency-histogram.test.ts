import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LatencyHistogram } from './latency-histogram.ts'

test('quantiles are right to within a tenth, whatever the scale', () => {
  const histogram = new LatencyHistogram()
  for (let i = 1; i <= 10_000; i++) histogram.add(i / 10)
  for (const [share, exact] of [
    [0.5, 500],
    [0.9, 900],
    [0.99, 990],
  ] as const) {
    const found = histogram.quantile(share)
    assert.ok(found >= exact && found <= exact * 1.1, `${share}: ${found}`)
  }
  assert.equal(histogram.maxMs, 1000)
  assert.equal(
    histogram.rows(12).reduce((sum, [, calls]) => sum + calls, 0),
    10_000,
  )
  assert.ok(histogram.rows(12).length <= 12)
})

test('nothing measured is zero everywhere', () => {
  const histogram = new LatencyHistogram()
  assert.deepEqual([histogram.quantile(0.99), histogram.maxMs, histogram.meanMs, histogram.rows(12)], [0, 0, 0, []])
})
