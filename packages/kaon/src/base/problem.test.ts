import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asKaonError, errorTable, isKaonError, KaonError } from './errors.ts'
import { toProblem } from './problem.ts'

test('a problem has the status and title of its code, and what the error says', () => {
  const fields = [{ field: 'spec.timeout', message: 'is required', reason: 'required' as const }]
  assert.deepEqual(toProblem(new KaonError('validation_failed', 'Not valid.', { hint: 'Mend it.', fields }), 'request-1'), {
    type: 'https://kaon.dev/errors/validation_failed',
    title: 'The resource is not valid',
    status: 422,
    detail: 'Not valid.',
    code: 'validation_failed',
    hint: 'Mend it.',
    errors: fields,
    instance: 'request-1',
  })
})

test('what we did not throw becomes an opaque internal error, whose problem holds nothing of it', () => {
  const cause = Object.assign(new Error('password=hunter2'), { code: 'ENOENT' })
  for (const thrown of [cause, 'hunter2', { message: 'hunter2' }, undefined, null]) {
    const problem = toProblem(thrown)
    assert.equal(problem.code, 'internal')
    assert.equal(problem.status, 500)
    assert.doesNotMatch(JSON.stringify(problem), /hunter2|ENOENT|\bat /)
  }
  assert.equal(asKaonError(cause).cause, cause)
})

test('an error is ours by its code, whichever package made the class', () => {
  assert.equal(isKaonError(Object.assign(new Error('x'), { code: 'not_found' })), true)
  assert.equal(isKaonError(Object.assign(new Error('x'), { code: 'ENOENT' })), false)
  assert.equal(isKaonError({ code: 'not_found' }), false)
  assert.equal(isKaonError(Object.assign(new Error('x'), { code: 'toString' })), false)
})

test('every code has a status that is an HTTP error', () => {
  for (const [code, row] of Object.entries(errorTable)) assert.ok(row.status >= 400 && row.status <= 599, code)
})
