import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogRecord } from '../model/log-record.ts'
import { renderLogRecord } from './log-lines.ts'
import { createStyle } from './terminal.ts'

const record: LogRecord = { ts: '2026-01-01T10:00:00.123Z', level: 'info', msg: 'greeted', revision: 'hello-00001', replica: 'abc' }
const plain = (more: Partial<LogRecord>) => renderLogRecord({ ...record, ...more }, createStyle(false), { withRevision: false })

test('colours reach the screen as colours, and control characters of others never do', () => {
  const fields = { name: 'world', '\x1b[31mred': 'a\x1b[2Jb' }
  const line = renderLogRecord({ ...record, msg: 'x\x1b]0;y\x07', fields }, createStyle(true), { withRevision: true })
  assert.ok(line.includes('\x1b[2mname=\x1b[22mworld'), JSON.stringify(line))
  assert.ok(!line.includes('\\x1b[2m'), JSON.stringify(line))
  assert.ok(!line.includes('\x1b[31mred') && !line.includes('\x1b[2J') && !line.includes('\x1b]0') && !line.includes('\x07'))
})

test("a handler's error is its message once, and its stack and causes on lines of their own", () => {
  const cause = { name: 'Error', message: 'no\tdatabase', stack: 'Error: no\tdatabase\n    at connect (db.ts:1:1)', cause: 'gone' }
  const stack = 'TypeError: x is not y\n    at default (handler.ts:3:7)\n    at run (a.js:1:2)'
  const fields = { name: 'TypeError', message: 'x is not y', code: 'E_X', stack, cause }
  assert.deepEqual(plain({ level: 'error', msg: 'TypeError: x is not y', fields, requestId: 'r1' }).split('\n'), [
    '10:00:00.123 ERROR TypeError: x is not y code=E_X  (r1)',
    '                       at default (handler.ts:3:7)',
    '                       at run (a.js:1:2)',
    '                   Caused by: Error: no\tdatabase',
    '                       at connect (db.ts:1:1)',
    '                   Caused by: gone',
  ])
})

test('an error among the fields of a log call is told below the line', () => {
  const fields = { order: 7, error: { name: 'Error', message: 'late', stack: 'Error: late\n    at pay (pay.ts:2:1)' } }
  assert.deepEqual(plain({ msg: 'not paid', fields }).split('\n'), [
    '10:00:00.123 INFO  not paid order=7',
    '                   error: Error: late',
    '                       at pay (pay.ts:2:1)',
  ])
})
