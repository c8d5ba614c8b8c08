import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { isKaonError } from '../base/errors.ts'
import { checkApiKey } from './api-key.ts'
import { answerHeaders, type CorsRule, preflightHeaders } from './cors.ts'

const cors: CorsRule = {
  origins: ['https://a.example'],
  methods: ['GET', 'PUT'],
  headers: ['x-a'],
  exposeHeaders: ['x-b'],
  credentials: true,
  maxAgeSeconds: 60,
}

test('an allowed origin is told what it may do, another one nothing', () => {
  assert.deepEqual(preflightHeaders(cors, 'https://a.example').slice(2), [
    'access-control-allow-origin',
    'https://a.example',
    'access-control-allow-methods',
    'GET, PUT',
    'access-control-allow-headers',
    'x-a',
    'access-control-allow-credentials',
    'true',
    'access-control-max-age',
    '60',
  ])
  assert.deepEqual(preflightHeaders(cors, 'https://b.example').length, 2)
  assert.deepEqual(answerHeaders(cors, 'https://b.example'), ['vary', 'Origin'])
  assert.ok(answerHeaders(cors, 'https://a.example').includes('x-b'))
  assert.deepEqual(answerHeaders(cors, undefined), ['vary', 'Origin'])
})

test('any origin is allowed by a star, but never with credentials', () => {
  const open = { ...cors, origins: ['*'], credentials: false, exposeHeaders: [] }
  assert.deepEqual(answerHeaders(open, 'https://x'), ['access-control-allow-origin', '*'])
  assert.deepEqual(answerHeaders({ ...open, credentials: true }, 'https://x'), ['vary', 'Origin'])
})

test('a key is let in by its digest, and nothing else is', () => {
  const digest = (key: string) => createHash('sha256').update(key).digest('hex')
  const rule = { kind: 'api-key' as const, header: 'X-API-Key', keyDigests: [digest('one'), 'not hex', digest('two')] }
  const refused = (headers: string[], using = rule) => {
    try {
      checkApiKey(using, headers)
    } catch (error) {
      return isKaonError(error) ? error.code : String(error)
    }
    return 'let in'
  }
  assert.equal(refused(['x-api-key', 'two']), 'let in')
  assert.equal(refused(['x-api-key', 'three']), 'unauthorized')
  assert.equal(refused(['x-api-key', digest('two')]), 'unauthorized')
  assert.equal(refused(['x-api-key', '']), 'unauthorized')
  assert.equal(refused([]), 'unauthorized')
  assert.equal(refused(['x-api-key', 'one', 'x-api-key', 'two']), 'unauthorized')
  assert.equal(refused(['x-api-key', 'one'], { ...rule, keyDigests: [] }), 'unauthorized')
  assert.equal(refused(['authorization', 'Bearer one'], { ...rule, header: 'authorization' }), 'let in')
})
