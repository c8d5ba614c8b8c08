import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Compile } from 'typebox/compile'
import { explain } from './explain.ts'
import { kindNamed } from './kinds.ts'
import { isJsonObject, nodeOf } from './schema-node.ts'
import { prepare } from './validate.ts'

const route = prepare(kindNamed('Route'), {
  apiVersion: 'kaon.dev/v1',
  kind: 'Route',
  metadata: { name: 'r', labels: { a: 'b' }, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: {
    hosts: ['a.example.com'],
    rules: [{ methods: ['GET'], to: [{ function: 'f' }], cors: { origins: ['*'] }, auth: { apiKey: { secret: 's' } } }],
  },
})
const hello = prepare(kindNamed('Function'), {
  apiVersion: 'kaon.dev/v1',
  kind: 'Function',
  metadata: { name: 'hello', annotations: { a: 'b' } },
  spec: {
    source: { git: { url: 'https://example.com/x.git' } },
    env: [{ name: 'A', secret: { name: 's', key: 'k' } }],
    triggers: { web: { kind: 'http' } },
    traffic: [{ percent: 100 }],
  },
})

/** Every place in a value, as a list of keys. */
function places(value: unknown, path: string[] = []): string[][] {
  const inner =
    Array.isArray(value) || isJsonObject(value) ? Object.entries(value).flatMap(([key, member]) => places(member, [...path, key])) : []
  return [path, ...inner]
}

function withChange(value: unknown, [key, ...rest]: string[], change: unknown): unknown {
  if (key === undefined) return change
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>
  copy[key] = withChange(copy[key], rest, change)
  return copy
}

for (const resource of [route, hello])
  test(`what is wrong with a ${resource.kind} is explained exactly when the schema refuses it`, () => {
    const { schema } = kindNamed(resource.kind as 'Route' | 'Function')
    const validator = Compile(schema)
    assert.equal(validator.Check(resource), true)
    const words = fc.constantFrom(
      '',
      'a',
      '30s',
      '128Mi',
      'GET',
      'latest',
      'sha256:',
      '/x',
      'no such',
      -1,
      0,
      1.5,
      1e9,
      null,
      true,
      [],
      {},
      [{}],
      { kind: 'http' },
    )
    let refused = 0
    fc.assert(
      fc.property(
        fc.constantFrom(...places(resource)),
        fc.constantFrom('', 'extra', 'volumes'),
        fc.oneof(words, fc.jsonValue()),
        (place, key, change) => {
          const changed = withChange(resource, key === '' || place.length === 0 ? place : [...place, key], change)
          const fits = validator.Check(changed)
          if (!fits) refused++
          assert.equal(explain(nodeOf(schema), changed).take(1).toArray().length === 0, fits)
        },
      ),
      { numRuns: 1500 },
    )
    assert.ok(refused > 100)
  })
