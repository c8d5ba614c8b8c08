import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isKaonError } from '../base/errors.ts'
import { isLoopbackName, normalisePath, normaliseWrittenPath, parseHost, parseTarget } from './address.ts'

function code(run: () => unknown): string {
  try {
    run()
    return 'accepted'
  } catch (error) {
    return isKaonError(error) ? error.code : String(error)
  }
}

test('what two readers could read differently is refused', () => {
  for (const target of [
    '/a/../b',
    '/a/..',
    '/.',
    '/a/./b',
    '/%2e%2e/b',
    '/a/%2E./b',
    '/a%2fb',
    '/a%2Fb',
    '/a%5cb',
    '/a\\b',
    '/a%00',
    '/a%',
    '/a%4',
    '/a%zz',
    '/ä',
    '/a b',
    '/a#b',
    '*',
    'a',
    '',
    'ftp://x/',
  ])
    assert.equal(
      code(() => parseTarget(target, 'x')),
      'invalid_request',
      target,
    )
})

test('ordinary paths pass as they are', () => {
  for (const path of ['/', '/a', '/a/', '//a', '/a.b/.well-known/..c', '/a%20b', '/%C3%A4', "/~a;b=c,d:@!$&'()*+"])
    assert.deepEqual(parseTarget(path, 'x'), { path, query: '' })
  assert.deepEqual(parseTarget('/a?b=/../c&d=%2f?', 'x'), { path: '/a', query: '?b=/../c&d=%2f?' })
})

test('one path has one spelling', () => {
  assert.equal(normalisePath('/%61dmin/%7ex/%c3%a4'), '/admin/~x/%C3%A4')
  assert.equal(normaliseWrittenPath('/käse'), '/k%C3%A4se')
  assert.equal(normaliseWrittenPath('/a/../b'), undefined)
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', '/', '%61', '%2f', '.', '%2e', '~', '%7E', '%20', '%c3')), (parts) => {
      let path: string
      try {
        path = normalisePath(`/${parts.join('')}`)
      } catch {
        return
      }
      assert.equal(normalisePath(path), path)
      assert.ok(!/%2[ef5]|%5c|%00/i.test(path) && !path.split('/').some((segment) => segment === '.' || segment === '..'))
    }),
    { seed: 3, numRuns: 2000 },
  )
})

test('the absolute form is served for the authority of the Host header only', () => {
  assert.deepEqual(parseTarget('http://A.b:80/x?y', 'a.b'), { path: '/x', query: '?y' })
  assert.deepEqual(parseTarget('http://a.b?y', 'a.b'), { path: '/', query: '?y' })
  assert.equal(
    code(() => parseTarget('http://other/x', 'a.b')),
    'invalid_request',
  )
  assert.equal(
    code(() => parseTarget('http://user@a.b/x', 'a.b')),
    'invalid_request',
  )
  assert.equal(
    code(() => parseTarget('http://a.b/x', undefined)),
    'invalid_request',
  )
})

test('a host name loses its port, its case and its final dot', () => {
  assert.equal(parseHost('Hello.Default.LOCALHOST:8080'), 'hello.default.localhost')
  assert.equal(parseHost('a.b.'), 'a.b')
  assert.equal(parseHost('a.b.:80'), 'a.b')
  assert.equal(parseHost('[::1]:80'), '[::1]')
  assert.equal(parseHost('127.0.0.1'), '127.0.0.1')
  for (const bad of ['', 'a b', 'a@b', 'a/b', 'a,b', 'a..b', '-a', 'a:b', 'a:80:80', `${'a'.repeat(254)}`, 'ä'])
    assert.equal(parseHost(bad), undefined, bad)
  assert.deepEqual(['localhost', '127.0.0.2', '[::1]', 'evil.localhost', '127.evil', '10.0.0.1'].map(isLoopbackName), [
    true,
    true,
    true,
    false,
    false,
    false,
  ])
})
