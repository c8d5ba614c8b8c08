import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpError } from './index.ts'

test('an HttpError carries its status, headers and cause', () => {
  const cause = new Error('why')
  const error = new HttpError(429, 'slow down', { headers: { 'retry-after': '1' }, cause })
  assert.deepEqual(
    [error.status, error.message, error.name, error.headers, error.cause],
    [429, 'slow down', 'HttpError', { 'retry-after': '1' }, cause],
  )
  assert.deepEqual(new HttpError(400, '').headers, {})
})

test('a status that is no error is refused', () => {
  for (const status of [399, 600, 404.5, Number.NaN]) assert.throws(() => new HttpError(status, ''), RangeError)
})
