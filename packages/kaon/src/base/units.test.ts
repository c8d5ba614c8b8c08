import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { durationMs, parseDuration, parseQuantity } from './units.ts'

test('durations are sums of amounts with a unit', () => {
  const cases = { '250ms': 250, '30s': 30_000, '1m30s': 90_000, '1.5h': 5_400_000, '1d': 86_400_000, '0s': 0 }
  for (const [text, expected] of Object.entries(cases)) assert.equal(parseDuration(text), expected, text)
})

test('what is no duration is undefined', () => {
  for (const text of ['', '30', 's', '-1s', '1 s', '1s ', '1.s', 'PT30S', '1w', '1e3s']) assert.equal(parseDuration(text), undefined, text)
})

test('a duration of whole milliseconds comes back as it was', () => {
  fc.assert(fc.property(fc.nat(), (ms) => assert.equal(durationMs(`${ms}ms`), ms)))
})

test('quantities have decimal and binary suffixes', () => {
  const cases = { '500m': 0.5, '2': 2, '0.25': 0.25, '1k': 1000, '128Mi': 134_217_728, '1Gi': 2 ** 30, '1M': 1e6 }
  for (const [text, expected] of Object.entries(cases)) assert.equal(parseQuantity(text), expected, text)
})

test('what is no quantity is undefined', () => {
  for (const text of ['', 'Mi', '-1', '1mi', '1KB', '1 Mi', '.5', '1e3', 'NaN']) assert.equal(parseQuantity(text), undefined, text)
})
