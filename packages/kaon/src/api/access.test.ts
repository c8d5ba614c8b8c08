import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { createAccess, isLoopbackName } from './access.ts'
import type { AccessRules } from './api-deps.ts'

const url = 'http://localhost:8070/apis/kaon.dev/v1/functions'

/** The code that a request is refused with, or `let in`. */
function verdict(headers: Record<string, string>, options: { rules?: Partial<AccessRules>; method?: string; url?: string } = {}): string {
  const check = createAccess({ hosts: [], loopbackOnly: true, ...options.rules })
  try {
    check(new Request(options.url ?? url, { method: options.method ?? 'GET', headers: { host: 'localhost:8070', ...headers } }))
    return 'let in'
  } catch (error) {
    return (error as { code: string }).code
  }
}

test('only hosts that are loopback, or allowed by name, are served', () => {
  const good = [
    'localhost',
    'localhost:8070',
    'LOCALHOST:1',
    'localhost.',
    'api.localhost',
    '127.0.0.1:8070',
    '127.9.8.7',
    '[::1]:8070',
    '[::1]',
  ]
  for (const host of good) assert.equal(verdict({ host }), 'let in', host)
  const bad = [
    'evil.example',
    'localhost.evil.example',
    'evil-localhost',
    'notlocalhost',
    '127.0.0.1.nip.io',
    '127.0.0.1.evil.example:8070',
    '127.1',
    '127.0.0.256',
    '127.0.0.01',
    '0x7f.0.0.1',
    '2130706433',
    '0.0.0.0:8070',
    '10.0.0.1',
    '192.168.0.1',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::1].evil.example',
    'localhost:8070@evil.example',
    'evil.example@localhost',
    'localhost/evil',
    'localhost, evil.example',
    'localhost:port',
    'localhost:999999',
    '.localhost',
    'a..localhost',
  ]
  for (const host of bad) assert.equal(verdict({ host }), 'host_refused', host)
  assert.equal(verdict({ host: 'Kaon.Example:443' }, { rules: { hosts: ['kaon.example'] } }), 'let in')
})

test('a request without a Host header is judged by its address', () => {
  const check = createAccess({ hosts: [], loopbackOnly: true })
  assert.throws(() => check(new Request('http://rebound.example/')), { code: 'host_refused' })
})

test('pages of any other origin are refused, for every method', () => {
  const others = [
    'http://evil.example',
    'null',
    'http://localhost:8080',
    'http://localhost',
    'http://127.0.0.1:8070',
    'http://hello.default.localhost:8070',
    'http://localhost:8070.evil.example',
    'http://evil.example/http://localhost:8070',
    'http://localhost:8070@evil.example',
    'file://',
    'chrome-extension://abc',
    'localhost:8070',
    '',
  ]
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
    for (const origin of others) assert.equal(verdict({ origin }, { method }), 'origin_refused', `${method} ${origin}`)
  assert.equal(verdict({ origin: 'http://localhost:8070' }, { method: 'POST' }), 'let in')
  assert.equal(verdict({ origin: 'https://kaon.example', host: 'kaon.example' }, { rules: { hosts: ['kaon.example'] } }), 'let in')
  assert.equal(verdict({ origin: 'http://localhost', host: 'localhost:80' }), 'let in')
})

test('a form post of another page, which needs no leave from us, is refused', () => {
  const form = { origin: 'http://evil.example', 'content-type': 'text/plain' }
  assert.equal(verdict(form, { method: 'POST' }), 'origin_refused')
})

test('requests that a browser marks as from another site are refused even without Origin; a followed link reaches the front page alone', () => {
  for (const site of ['cross-site', 'same-site', 'anything']) assert.equal(verdict({ 'sec-fetch-site': site }), 'origin_refused')
  for (const site of ['same-origin', 'none']) assert.equal(verdict({ 'sec-fetch-site': site }), 'let in')
  const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
  assert.equal(verdict(link, { url: 'http://localhost:8070/' }), 'let in')
  assert.equal(verdict({ ...link, 'sec-fetch-dest': 'iframe' }, { url: 'http://localhost:8070/' }), 'origin_refused')
  assert.equal(verdict(link), 'origin_refused')
  assert.equal(verdict(link, { url: 'http://localhost:8070/', method: 'POST' }), 'origin_refused')
})

test('where there is a token, everything but health needs it', () => {
  const rules = { tokenDigest: createHash('sha256').update('right').digest('hex') }
  assert.equal(verdict({}, { rules }), 'unauthorized')
  assert.equal(verdict({ authorization: 'Bearer right' }, { rules }), 'let in')
  assert.equal(verdict({ authorization: 'bearer right' }, { rules }), 'let in')
  for (const authorization of ['Bearer wrong', 'Bearer', 'Basic right', 'Bearer right wrong', 'right', `Bearer ${rules.tokenDigest}`])
    assert.equal(verdict({ authorization }, { rules }), 'unauthorized', authorization)
  assert.equal(verdict({}, { rules, url: 'http://localhost:8070/healthz' }), 'let in')
  assert.equal(verdict({}, { rules, url: 'http://localhost:8070/readyz?verbose' }), 'let in')
  for (const path of ['/', '/metrics', '/healthz/', '/healthz/../version', '/HEALTHZ', '//healthz'])
    assert.equal(verdict({}, { rules, url: `http://localhost:8070${path}` }), 'unauthorized', path)
})

test('the digest of nothing lets nobody in', () => {
  const rules = { tokenDigest: createHash('sha256').update('').digest('hex') }
  assert.equal(verdict({}, { rules }), 'unauthorized')
})

test('an API beyond loopback cannot be made without a token', () => {
  assert.throws(() => createAccess({ hosts: [], loopbackOnly: false }), { code: 'usage' })
  assert.throws(() => createAccess({ hosts: [], loopbackOnly: false, tokenDigest: 'short' }), { code: 'usage' })
})

test('loopback names are told from their look-alikes', () => {
  assert.ok(isLoopbackName('a.b.localhost'))
  assert.ok(!isLoopbackName('127.0.0'))
})
