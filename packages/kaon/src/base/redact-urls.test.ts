import assert from 'node:assert/strict'
import { test } from 'node:test'
import { redactCredentials } from './redact-urls.ts'

test('credentials in addresses, npm settings and well-known tokens are taken out', () => {
  const cases = [
    ['fetch https://user:pa55@example.org/x.git', 'fetch https://***@example.org/x.git'],
    ['//r.example.org/:_authToken=abc123', '//r.example.org/:_authToken=***'],
    ['authorization: Bearer abc.def', 'authorization: ***'],
    [`token ${'ghp_'}${'a'.repeat(36)} end`, 'token *** end'],
  ] as const
  for (const [text, wanted] of cases) assert.equal(redactCredentials(text), wanted)
})

test('what is no credential stays', () => {
  for (const text of ['https://example.org/@scope/name', 'mail me@example.org', 'git@github.com:a/b.git'])
    assert.equal(redactCredentials(text), text)
})
