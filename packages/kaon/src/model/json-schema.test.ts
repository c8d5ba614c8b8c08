import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Compile } from 'typebox/schema'
import { jsonSchemaOf } from './json-schema.ts'
import { type KindName, kindNamed, kinds } from './kinds.ts'
import type { SchemaNode } from './schema-node.ts'
import { prepare } from './validate.ts'

/** The least that an author writes of each kind. */
const minimal: Record<KindName, object> = {
  Namespace: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
  Secret: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'api' }, stringData: { token: 'x' } },
  ConfigMap: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { 'app.json': '{}' } },
  Event: { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e' }, involvedObject: { kind: 'Function', name: 'hello' } },
  Function: { apiVersion: 'kaon.dev/v1', kind: 'Function', metadata: { name: 'hello' }, spec: { source: { path: '.' } } },
  Revision: { apiVersion: 'kaon.dev/v1', kind: 'Revision', metadata: { name: 'hello-00001' }, spec: { source: { inline: 'x' } } },
  Route: { apiVersion: 'kaon.dev/v1', kind: 'Route', metadata: { name: 'r' }, spec: { rules: [{ to: [{ function: 'hello' }] }] } },
}

for (const { kind } of kinds)
  test(`the least that is written of a ${kind} is valid, and so says its published schema`, () => {
    prepare(kindNamed(kind), minimal[kind])
    const published = Compile(jsonSchemaOf(kindNamed(kind)))
    assert.equal(published.Check(minimal[kind]), true)
    assert.equal(published.Check({ ...minimal[kind], speck: 1 }), false)
    assert.equal(published.Check({ ...minimal[kind], kind: 'Other' }), false)
  })

test('the published schema leaves out what the server sets and what is not available yet', () => {
  const schema = jsonSchemaOf(kindNamed('Function')) as SchemaNode & { $id: string }
  assert.equal(schema.$id, 'https://kaon.dev/schemas/Function.json')
  assert.deepEqual(Object.keys(schema.properties!), ['apiVersion', 'kind', 'metadata', 'spec'])
  assert.deepEqual(Object.keys(schema.properties!.metadata!.properties!), [
    'name',
    'generateName',
    'namespace',
    'labels',
    'annotations',
    'ownerReferences',
    'finalizers',
  ])
  const spec = schema.properties!.spec!
  assert.deepEqual(spec.required, ['source'])
  assert.equal('volumes' in spec.properties!, false)
  assert.match(spec.properties!.timeout!.description!, /504/)
  assert.doesNotMatch(JSON.stringify(schema), /notAvailable|"revision":true|readOnly/)
})
