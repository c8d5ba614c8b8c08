import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KaonError } from '../base/errors.ts'
import { fieldPath, locateErrors, parseManifests } from './manifest.ts'

function refusal(text: string): KaonError {
  try {
    parseManifests(text, 'shop.yaml')
  } catch (error) {
    return error as KaonError
  }
  throw new Error('it was taken')
}

const fn =
  'apiVersion: kaon.dev/v1\nkind: Function\nmetadata:\n  name: shop\nspec:\n  timeout: 30s\n  env:\n    - name: A\n      value: b\n    - name: 1B\n'

test('broken YAML is told with file, line, column and a caret below the place', () => {
  const error = refusal('apiVersion: v1\nkind: Secret\nmetadata: { name: x\ndata: {}\n')
  assert.equal(error.code, 'config_invalid')
  assert.match(error.message, /^shop\.yaml:4:1: /)
  const [, line = '', caret = ''] = error.message.split('\n')
  assert.equal(line[caret.indexOf('^')], 'd')
})

test('a key given twice is broken YAML', () => {
  assert.match(refusal('kind: A\nkind: B\n').message, /^shop\.yaml:2:1: .*unique/)
})

test('an alias bomb is refused, and quickly', () => {
  const bomb = [
    'a0: &a0 [x,x,x,x,x,x,x,x,x]',
    ...Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(',')}]`),
  ].join('\n')
  assert.equal(refusal(bomb).code, 'config_invalid')
})

test('several documents, lists and JSON are all resources', () => {
  const two = parseManifests(`${fn}---\n---\napiVersion: v1\nkind: Secret\nmetadata: { name: s }\n`, 'x')
  assert.deepEqual(
    two.map(({ resource }) => resource.kind),
    ['Function', 'Secret'],
  )
  const list = parseManifests(
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' } }] }),
    'x',
  )
  assert.equal(list[0]?.resource.metadata.name, 'a')
})

test('what every resource needs is asked for where it is missing', () => {
  assert.match(refusal('kind: Function\nmetadata: { name: a }\n').message, /shop\.yaml:1:1: Say 'apiVersion'/)
  assert.match(refusal('apiVersion: v1\nkind: Secret\nmetadata:\n  labels: {}\n').message, /shop\.yaml:3:1: Give the resource a name/)
  assert.match(refusal('- 1\n').message, /A resource is a map/)
  assert.equal(
    parseManifests('apiVersion: kaon.dev/v1\nkind: Function\n', 'x', { defaultName: 'folder' })[0]?.resource.metadata.name,
    'folder',
  )
})

test("a field's path becomes its place in the file, or its parent's", () => {
  const [manifest] = parseManifests(fn, 'shop.yaml')
  assert.deepEqual(manifest?.positionOf('spec.timeout'), { line: 6, column: 3 })
  assert.deepEqual(manifest?.positionOf('spec.env[1].name'), { line: 10, column: 7 })
  assert.deepEqual(manifest?.positionOf('spec.env[1].value'), { line: 10, column: 7 })
  assert.deepEqual(manifest?.positionOf('spec.scale.max'), { line: 5, column: 1 })
  assert.deepEqual(fieldPath('metadata.labels["a.b/c"].x[0]'), ['metadata', 'labels', 'a.b/c', 'x', 0])
})

test("the server's word on a field is said where the field stands", () => {
  const [manifest] = parseManifests(fn, 'shop.yaml')
  const error = locateErrors(manifest!, fn, [{ field: 'spec.env[1].name', message: 'must be a name', reason: 'invalid' }], 'not valid')
  assert.equal(error.message, 'shop.yaml:10:7: spec.env[1].name: must be a name\n  10 |     - name: 1B\n             ^')
})
