import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKaonError } from '../base/errors.ts'
import { seededRandom } from '../base/fake-clock.ts'
import { readHead } from './received-head.ts'
import { RequestIds } from './request-ids.ts'

function read(rawHeaders: string[], more: { minorVersion?: number; isTrusted?: boolean } = {}) {
  return readHead({ rawHeaders, minorVersion: 1, isTrusted: false, ...more }, 100)
}

function code(rawHeaders: string[], minorVersion = 1): string {
  try {
    read(rawHeaders, { minorVersion })
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
  assert.deepEqual(read([...raw, ...more]).forwarded, ['host', 'a', 'cookie', 'c', 'cookie', 'd', 'x-other', 'é'])
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
})

test('depth and time left are believed over the unix socket only, and nobody else passes them on', () => {
  const own = (depth: string, timeoutMs: string) => ['host', 'a', 'kaon-depth', depth, 'kaon-timeout-ms', timeoutMs]
  const trusted = read(own('16', '250'), { isTrusted: true })
  assert.deepEqual([trusted.callerTimeoutMs, trusted.forwarded], [250, ['host', 'a', 'kaon-depth', '16']])
  const stranger = read(own('99', '1'))
  assert.deepEqual([stranger.callerTimeoutMs, stranger.forwarded], [undefined, ['host', 'a']])
  assert.throws(() => read(own('17', '1'), { isTrusted: true }), { code: 'loop_detected' })
  assert.throws(() => read(own('-1', '1'), { isTrusted: true }), { code: 'invalid_request' })
  for (const none of ['0', 'Infinity', '-5', '1e3']) assert.equal(read(own('1', none), { isTrusted: true }).callerTimeoutMs, undefined)
})

test('ids are kept when they are sound and made when they are not', () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const kept = read(['host', 'a', 'x-request-id', 'abc', 'traceparent', traceparent])
  assert.deepEqual([kept.requestId, kept.traceparent], ['abc', traceparent])
  for (const id of ['', 'a b', 'é', 'x'.repeat(129)]) assert.equal(read(['host', 'a', 'x-request-id', id]).requestId, undefined)
  assert.equal(read(['host', 'a', 'traceparent', `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`]).traceparent, undefined)
  const ids = new RequestIds(seededRandom(1))
  const made = Array.from({ length: 1000 }, () => ids.next())
  assert.equal(new Set(made).size, 1000)
  const traces = Array.from({ length: 1000 }, () => ids.nextTrace())
  assert.equal(new Set(traces).size, 1000)
  for (const trace of traces) assert.equal(read(['host', 'a', 'traceparent', trace]).traceparent, trace)
})
