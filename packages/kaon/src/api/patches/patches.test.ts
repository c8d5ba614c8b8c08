import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonPatch } from './json-patch.ts'
import { mergePatch } from './merge-patch.ts'
import { strategicMergePatch } from './strategic-merge-patch.ts'

test('merge patches give the results of RFC 7396, appendix A', () => {
  const cases: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]
  for (const [target, patch, result] of cases) assert.deepEqual(mergePatch(target, patch), result)
})

test('a merge patch applied twice gives what it gave once, and leaves its target alone', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (target, patch) => {
      const before = structuredClone(target)
      const once = mergePatch(target, patch)
      assert.deepEqual(mergePatch(once, patch), once)
      assert.deepEqual(target, before)
    }),
  )
})

test('JSON patches do what RFC 6902, appendix A, says', () => {
  const cases: [unknown, unknown[], unknown][] = [
    [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { foo: 'bar', baz: 'qux' }],
    [{ foo: ['bar', 'baz'] }, [{ op: 'add', path: '/foo/1', value: 'qux' }], { foo: ['bar', 'qux', 'baz'] }],
    [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/-', value: ['abc'] }], { foo: ['bar', ['abc']] }],
    [{ baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    [{ foo: ['bar', 'qux', 'baz'] }, [{ op: 'remove', path: '/foo/1' }], { foo: ['bar', 'baz'] }],
    [{ baz: 'qux' }, [{ op: 'replace', path: '/baz', value: 'boo' }], { baz: 'boo' }],
    [{ foo: { bar: 1, w: 2 }, q: {} }, [{ op: 'move', from: '/foo/w', path: '/q/t' }], { foo: { bar: 1 }, q: { t: 2 } }],
    [{ foo: ['a', 'b', 'c', 'd'] }, [{ op: 'move', from: '/foo/1', path: '/foo/3' }], { foo: ['a', 'c', 'd', 'b'] }],
    [{ foo: 'bar' }, [{ op: 'test', path: '/foo', value: 'bar' }], { foo: 'bar' }],
    [{ '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '/': 9, '~1': 10 }],
    [{ a: 1 }, [{ op: 'add', path: '', value: [1] }], [1]],
    [
      { a: [1] },
      [
        { op: 'copy', from: '/a', path: '/b' },
        { op: 'add', path: '/b/-', value: 2 },
      ],
      { a: [1], b: [1, 2] },
    ],
  ]
  for (const [target, patch, result] of cases) assert.deepEqual(jsonPatch(target, patch), result)
})

test('a JSON patch that does not fit is refused whole, one that is none as a bad request', () => {
  const target = { a: [1, 2], b: {} }
  const misfits = [
    { op: 'remove', path: '/c' },
    { op: 'replace', path: '/c', value: 1 },
    { op: 'add', path: '/c/d', value: 1 },
    { op: 'add', path: '/a/3', value: 1 },
    { op: 'add', path: '/a/01', value: 1 },
    { op: 'test', path: '/a', value: [2, 1] },
    { op: 'copy', from: '/x', path: '/y' },
    { op: 'remove', path: '/b/toString' },
  ]
  for (const operation of misfits)
    assert.throws(
      () => jsonPatch(target, [{ op: 'add', path: '/new', value: 1 }, operation]),
      { code: 'validation_failed' },
      JSON.stringify(operation),
    )
  const wrong = [
    'x',
    [1],
    [{ op: 'add', path: '/a' }],
    [{ op: 'fly', path: '/a' }],
    [{ op: 'remove', path: 'a' }],
    [{ op: 'remove', path: '/~2' }],
    [{ op: 'move', path: '/a/b', from: '/a' }],
    [{ op: 'copy', path: '/a' }],
  ]
  for (const patch of wrong) assert.throws(() => jsonPatch(target, patch), { code: 'invalid_request' }, JSON.stringify(patch))
  assert.deepEqual(target, { a: [1, 2], b: {} })
})

test('copies that double each time are stopped', () => {
  const patch = Array.from({ length: 60 }, (_, i) => ({ op: 'copy', from: '/a', path: `/a/${i % 2 === 0 ? 'x' : 'y'}` }))
  assert.throws(() => jsonPatch({ a: { text: 'x'.repeat(1000) } }, patch), { code: 'body_too_large' })
})

test('no patch reaches a prototype', () => {
  const evil = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}')
  mergePatch({}, evil)
  strategicMergePatch({}, evil)
  jsonPatch({}, [{ op: 'add', path: '/__proto__', value: { polluted: true } }])
  assert.throws(() => jsonPatch({}, [{ op: 'add', path: '/__proto__/polluted', value: true }]), { code: 'validation_failed' })
  assert.throws(() => jsonPatch({}, [{ op: 'add', path: '/constructor/prototype/polluted', value: true }]), { code: 'validation_failed' })
  assert.equal(({} as { polluted?: boolean }).polluted, undefined)
})

test('strategic merge patches follow their directives', () => {
  const target = {
    data: { a: '1', b: '2' },
    metadata: { finalizers: ['x', 'y'], ownerReferences: [{ uid: '1', name: 'one' }, { uid: '2' }] },
  }
  const merged = (patch: unknown) => strategicMergePatch(target, patch) as typeof target
  assert.deepEqual(merged({ data: { a: null, c: '3' } }).data, { b: '2', c: '3' })
  assert.deepEqual(merged({ data: { $patch: 'replace', c: '3' } }).data, { c: '3' })
  assert.equal('data' in merged({ data: { $patch: 'delete' } }), false)
  assert.deepEqual(merged({ data: { $retainKeys: ['a', 'c'], c: '3' } }).data, { a: '1', c: '3' })
  assert.deepEqual(merged({ metadata: { finalizers: ['y', 'z'] } }).metadata.finalizers, ['x', 'y', 'z'])
  const without = { '$deleteFromPrimitiveList/finalizers': ['x'], '$setElementOrder/finalizers': ['z', 'y'], finalizers: ['z'] }
  assert.deepEqual(merged({ metadata: without }).metadata.finalizers, ['y', 'z'])
  const owners = [{ uid: '1', controller: true }, { uid: '2', $patch: 'delete' }, { uid: '3' }]
  assert.deepEqual(merged({ metadata: { ownerReferences: owners } }).metadata.ownerReferences, [
    { uid: '1', name: 'one', controller: true },
    { uid: '3' },
  ])
  assert.throws(() => merged({ data: { $patch: 'explode' } }), { code: 'invalid_request' })
})
