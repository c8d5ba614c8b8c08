import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findCondition, setCondition } from './metadata.ts'

const ready = { type: 'Ready', status: 'True', reason: 'Serving', message: 'It serves.' } as const

test('the transition time of a condition moves only when its status does', () => {
  const first = setCondition(undefined, ready, 't1')
  const reworded = setCondition(first, { ...ready, reason: 'StillServing' }, 't2')
  const failed = setCondition(reworded, { ...ready, status: 'False' }, 't3')
  assert.equal(findCondition(first, 'Ready')?.lastTransitionTime, 't1')
  assert.deepEqual(findCondition(reworded, 'Ready'), { ...ready, reason: 'StillServing', lastTransitionTime: 't1' })
  assert.equal(findCondition(failed, 'Ready')?.lastTransitionTime, 't3')
})

test('conditions are one of a type, in the order of their types, and the list given is left as it is', () => {
  const before = Object.freeze(setCondition([], ready, 't1')) as ReturnType<typeof setCondition>
  const after = setCondition(before, { ...ready, type: 'Built' }, 't2')
  assert.deepEqual(
    setCondition(after, ready, 't3').map((condition) => condition.type),
    ['Built', 'Ready'],
  )
  assert.equal(before.length, 1)
  assert.equal(findCondition(after, 'Started'), undefined)
})
