import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decide, type Member } from './decide.ts'

const members = fc
  .array(fc.record({ isCurrent: fc.boolean(), isReady: fc.boolean(), isDraining: fc.boolean() }), { maxLength: 12 })
  .map((list): Member[] => list.map((member, i) => ({ ...member, id: String(i) })))

test('a decision never leaves fewer ready than it must, drains none twice, and starts only what is missing', () => {
  fc.assert(
    fc.property(members, fc.nat(6), (all, count) => {
      const { start, drain } = decide(all, count)
      const live = all.filter((member) => !member.isDraining)
      const left = live.filter((member) => !drain.includes(member.id))
      assert.equal(new Set(drain).size, drain.length)
      assert.ok(drain.every((id) => live.some((member) => member.id === id)))
      const ready = (list: Member[]) => list.filter((member) => member.isReady).length
      assert.ok(ready(left) >= Math.min(count, ready(live)), 'what is ready and wanted stays')
      const current = left.filter((member) => member.isCurrent)
      assert.equal(current.length + start, count)
      // What is left of the old is only what the new cannot do yet.
      assert.ok(left.length - current.length <= Math.max(0, count - ready(current)))
    }),
    { seed: 3, numRuns: 2000 },
  )
})
