import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matchesFields, parseFieldSelector } from './field-selector.ts'
import { parseLabelSelector } from './label-selector.ts'

const labels = { app: 'shop', tier: 'web', 'kaon.dev/function': 'hello', size: '10', empty: '' }

test('label selectors choose as Kubernetes does', () => {
  const matching = [
    '',
    'app=shop',
    'app==shop',
    'app != other',
    'missing!=x',
    'app in (shop, store),tier notin (api)',
    'missing notin (x)',
    'app',
    '!missing',
    'kaon.dev/function=hello',
    'size>9',
    'size<11',
    'empty=',
    'empty in ()',
    'app=shop,tier=web',
  ]
  for (const text of matching) assert.ok(parseLabelSelector(text)(labels), text)
  const others = [
    'app=store',
    'app!=shop',
    'missing=x',
    'app in (store)',
    'app notin (shop)',
    '!app',
    'missing',
    'size>10',
    'app>1',
    'toString',
    'app=shop,tier=api',
  ]
  for (const text of others) assert.ok(!parseLabelSelector(text)(labels), text)
})

test('what is no label selector is refused', () => {
  for (const text of [
    '=',
    'a=b=c',
    'a in b',
    'a in (b',
    'a b',
    'a,',
    ',a',
    'a>b',
    'a=b c',
    '-a=b',
    `${'a'.repeat(64)}=b`,
    'a in (b c)',
    '!a=b',
  ])
    assert.throws(() => parseLabelSelector(text), { code: 'invalid_request' }, text)
})

test('field selectors read names, status and what an event is about', () => {
  const object = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'a.b', namespace: 'default' },
    involvedObject: { name: 'x,y=z', kind: 'Function' },
    status: { phase: 'Active', count: 3, nested: {} },
    type: 'Warning',
  }
  const matches = (text: string) => matchesFields(parseFieldSelector(text), object)
  for (const text of [
    '',
    'metadata.name=a.b',
    'metadata.name==a.b,type!=Normal',
    'involvedObject.name=x\\,y\\=z',
    'status.phase=Active',
    'status.count=3',
    'status.missing=',
    'status.nested=',
  ])
    assert.ok(matches(text), text)
  for (const text of ['metadata.name=a', 'metadata.name!=a.b', 'status.phase=', 'status.constructor.name=Object'])
    assert.ok(!matches(text), text)
  for (const text of ['data.password=x', 'metadata.name', 'metadata.name>a', 'metadata.annotations.x=y', '=x'])
    assert.throws(() => parseFieldSelector(text), { code: 'invalid_request' }, text)
})
