import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { threeWayPatch } from './three-way-patch.ts'

type Json = Record<string, unknown>

/** RFC 7386, word for word. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Json = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...(target as Json) } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = mergePatch(result[name], value)
  }
  return result
}

const { tree } = fc.letrec<{ tree: Json; value: unknown }>((tie) => ({
  tree: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('value'), { maxKeys: 4 }),
  value: fc.oneof({ maxDepth: 3 }, fc.integer({ min: 0, max: 3 }), fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 2 }), tie('tree')),
}))

function includes(whole: unknown, part: unknown): boolean {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return JSON.stringify(whole) === JSON.stringify(part)
  return (
    typeof whole === 'object' && whole !== null && Object.entries(part).every(([name, value]) => includes((whole as Json)[name], value))
  )
}

test('after the patch stands all that is desired, nothing that was taken back, and what others set', () => {
  fc.assert(
    fc.property(tree, tree, tree, (last, desired, live) => {
      const result = mergePatch(live, threeWayPatch(last, desired, live)) as Json
      assert.ok(includes(result, desired))
      for (const name of Object.keys(last)) if (!(name in desired)) assert.ok(!(name in result))
      for (const name of Object.keys(live)) if (!(name in desired) && !(name in last)) assert.deepEqual(result[name], live[name])
    }),
    { seed: 7, numRuns: 500 },
  )
})

test('what stands already needs no patch', () => {
  fc.assert(
    fc.property(tree, (desired) => assert.deepEqual(threeWayPatch(desired, desired, { ...desired, other: 1 }), {})),
    { seed: 7, numRuns: 200 },
  )
})

test('a field taken out of the file is removed within an object that stays', () => {
  const patch = threeWayPatch({ spec: { a: 1, b: 2 } }, { spec: { a: 1 } }, { spec: { a: 1, b: 2, set: 'by others' } })
  assert.deepEqual(patch, { spec: { b: null } })
})
