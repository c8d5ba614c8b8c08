import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKaonError } from '../base/errors.ts'
import { seededRandom } from '../base/fake-clock.ts'
import { readHead } from './received-head.ts'
import { RequestIds } from './request-ids.ts'

function code(raw: string[], minorVersion = 1): string {
  try {
    readHead(raw, 100, minorVersion)
    return 'accepted'
  } catch (error) {
    return isKaonError(error) ? error.code : String(error)
  }
}

test("what ends at this hop, or is the gateway's to say, does not go on", () => {
  const raw = [
    'Host',
    'a',
    'Connection',
    'x-mine, Keep-Alive, host, cookie',
    'X-Mine',
    '1',
    'Keep-Alive',
    '5',
    'TE',
    'trailers',
    'Cookie',
    'c',
    'Cookie',
    'd',
  ]
  const more = [
    'X-Forwarded-For',
    '1.1.1.1',
    'Forwarded',
    'for=1',
    'X-Real-IP',
    '1',
    'Expect',
    '100-continue',
    'Upgrade',
    'websocket',
    'X-Other',
    'é',
  ]
  assert.deepEqual(readHead([...raw, ...more], 100, 1).forwarded, ['host', 'a', 'cookie', 'c', 'cookie', 'd', 'x-other', 'é'])
})

test('what could be read in two ways is refused', () => {
  assert.equal(code(['host', 'a', 'Host', 'a']), 'invalid_request')
  assert.equal(code([]), 'invalid_request')
  assert.equal(code([], 0), 'accepted')
  for (const length of ['+1', '1, 1', '', '1x', '-1', '1e3', '9'.repeat(16)])
    assert.equal(code(['host', 'a', 'content-length', length]), 'invalid_request')
  assert.equal(code(['host', 'a', 'content-length', '1', 'content-length', '1']), 'invalid_request')
  assert.equal(code(['host', 'a', 'transfer-encoding', 'gzip, chunked']), 'invalid_request')
  assert.equal(code(['host', 'a', 'transfer-encoding', 'chunked'], 0), 'invalid_request')
  assert.equal(code(['host', 'a', ...Array.from({ length: 200 }, (_, i) => `x-${i}`)]), 'headers_too_large')
  assert.equal(code(['host', 'a', 'kaon-depth', '16']), 'accepted')
  assert.equal(code(['host', 'a', 'kaon-depth', '17']), 'loop_detected')
  assert.equal(code(['host', 'a', 'kaon-depth', 'x']), 'loop_detected')
})

test('ids are kept when they are sound and made when they are not', () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const kept = readHead(['host', 'a', 'x-request-id', 'abc', 'traceparent', traceparent], 100, 1)
  assert.deepEqual([kept.requestId, kept.traceparent], ['abc', traceparent])
  for (const id of ['', 'a b', 'é', 'x'.repeat(129)]) assert.equal(readHead(['host', 'a', 'x-request-id', id], 100, 1).requestId, undefined)
  assert.equal(readHead(['host', 'a', 'traceparent', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`], 100, 1).traceparent, undefined)
  const ids = new RequestIds(seededRandom(1))
  const made = Array.from({ length: 1000 }, () => ids.next())
  assert.equal(new Set(made).size, 1000)
  const traces = Array.from({ length: 1000 }, () => ids.nextTrace())
  assert.equal(new Set(traces).size, 1000)
  for (const trace of traces) assert.equal(readHead(['host', 'a', 'traceparent', trace], 100, 1).traceparent, trace)
})
