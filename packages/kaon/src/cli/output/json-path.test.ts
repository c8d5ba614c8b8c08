import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findByPath, renderJsonPath } from './json-path.ts'

const list = {
  items: [
    {
      metadata: { name: 'a', labels: { 'kaon.dev/function': 'x' } },
      status: { replicas: 1, conditions: [{ type: 'Ready', status: 'True' }] },
    },
    { metadata: { name: 'b' }, status: { replicas: 3, conditions: [{ type: 'Ready', status: 'False' }] } },
  ],
}

test('a template is filled as kubectl fills it', () => {
  const cases: [string, string][] = [
    ['{.items[0].metadata.name}', 'a'],
    ['{.items[*].metadata.name}', 'a b'],
    ['{.items[-1].metadata.name}', 'b'],
    ['{.items[0:1].metadata.name}', 'a'],
    ['{.items[?(@.status.replicas>2)].metadata.name}', 'b'],
    ['{.items[?(@.status.replicas<=1)].metadata.name}', 'a'],
    ['{.items[*].status.conditions[?(@.type=="Ready")].status}', 'True False'],
    ['{.items[0].metadata.labels.kaon\\.dev/function}', 'x'],
    ["{.items[0].metadata.labels['kaon.dev/function']}", 'x'],
    ['{range .items[*]}{.metadata.name}{"\\t"}{.status.replicas}{"\\n"}{end}', 'a\t1\nb\t3\n'],
    ['{..name}', 'a b'],
    ['name: {.items[0].metadata.name}!', 'name: a!'],
    ['.items[1].metadata', '{"name":"b"}'],
    ['{.items[0].missing.field}', ''],
    ['{@.items[0].metadata.name}', 'a'],
    ['{.items[0].constructor}', ''],
  ]
  for (const [template, expected] of cases) assert.equal(renderJsonPath(template, list), expected, template)
})

test('a broken template is told as such', () => {
  for (const template of ['{.items[', '{.a', '{range .items[*]}{.a}', '{end}', '{.a[?(x)]}'])
    assert.throws(() => renderJsonPath(template, list), { code: 'usage' }, template)
})

test('a path finds values of any type', () => {
  assert.deepEqual(findByPath('.items[*].status.replicas', list), [1, 3])
})
