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
