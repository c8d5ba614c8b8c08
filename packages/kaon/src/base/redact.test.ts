import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRedactor } from './redact.ts'

test('a secret is replaced in text, in fields, in names, as a number and inside other text', () => {
  const redactor = createRedactor(['s3cr3t-value', '987654321', 'with "quotes" and \\'])
  assert.equal(redactor.text('token=s3cr3t-value&x'), 'token=***&x')
  const json = redactor.json({
    msg: 'a s3cr3t-value b',
    fields: { deep: [{ 's3cr3t-value': 1 }], n: 987654321, q: '<with "quotes" and \\>' },
  })
  assert.deepEqual(JSON.parse(json), { msg: 'a *** b', fields: { deep: [{ '***': 1 }], n: '***', q: '<***>' } })
})

test('each line of a secret of several lines is a secret, short values are not', () => {
  const redactor = createRedactor(['-----BEGIN KEY-----\nMIIEabcdef\nshort\n-----END KEY-----\n', 'true'])
  assert.equal(redactor.text('MIIEabcdef'), '***')
  assert.equal(redactor.text('true short'), 'true short')
})

test('a secret that looks like JSON leaves the line valid JSON', () => {
  const redactor = createRedactor(['"msg":"', '{"a":1}'])
  assert.deepEqual(JSON.parse(redactor.json({ msg: 'hello', fields: { x: '{"a":1}' } })), { msg: 'hello', fields: { x: '***' } })
})

test('wherever a line is cut through a secret, neither piece shows a part that is long enough to matter', () => {
  for (const secret of ['s3cr3t-value-of-some-length', 'abcabcabcabd', 'eightchr']) {
    const redactor = createRedactor([secret, 'another-secret'])
    const line = `before ${secret} after`
    for (let at = 7; at <= 7 + secret.length; at++) {
      const left = redactor.text(line.slice(0, at), { end: true })
      const right = redactor.text(line.slice(at), { start: true })
      const shownLeft = left.slice('before '.length).replace('***', '')
      const shownRight = right.slice(0, -' after'.length).replace('***', '')
      assert.ok(left.startsWith('before ') && right.endsWith(' after'))
      assert.ok(shownLeft.length < 6 && shownRight.length < 6, `${left}|${right}`)
      assert.ok(shownLeft.length + shownRight.length <= secret.length / 2, `${left}|${right}`)
    }
    assert.equal(redactor.text(secret.slice(1, -1), { start: true, end: true }), '***')
  }
})
