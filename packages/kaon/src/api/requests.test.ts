import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { openSqliteStore } from '../stores/sqlite.ts'
import type { Store } from '../stores/store.ts'
import { createTestApi, functionsPath, sampleFunction } from './test-api.ts'

const folder = mkdtempSync(join(tmpdir(), 'kaon-requests-'))
let store: Store
let test_: ReturnType<typeof createTestApi>
let send: ReturnType<typeof createTestApi>['send']

before(async () => {
  store = await openSqliteStore({ file: join(folder, 'store.sqlite'), clock: createSystem().clock })
  test_ = createTestApi(store)
  send = test_.send
  assert.equal((await send('POST', '/api/v1/namespaces', { metadata: { name: 'default' } })).status, 201)
})

after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

test('a body that cannot be read is refused with the place', async () => {
  const post = (body: string, type: string) => send('POST', functionsPath, body, { 'content-type': type })
  const json = await post('{"a": 1,\n  "b": oops}', 'application/json')
  assert.equal(json.body.message, 'The body is not JSON: line 2, column 8.')
  const yaml = await post('a: 1\nb: [1, 2\n', 'application/yaml')
  assert.match(yaml.body.message, /not YAML: .* at line \d, column \d/)
  const twice = await post('kind: Function\nkind: Secret\n', 'application/yaml')
  assert.equal(twice.status, 400)
  assert.match(twice.body.message, /a key is there twice at line 2, column 1/)
  assert.equal((await post(`${'['.repeat(5000)}${']'.repeat(5000)}`, 'application/json')).status, 400)
  const bomb = ['a0: &a0 [x]', ...Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join()}]`)].join(
    '\n',
  )
  assert.equal((await post(bomb, 'application/yaml')).status, 400)
  assert.equal((await post('<x/>', 'application/xml')).status, 415)
  assert.equal((await post(' ', 'application/json')).status, 400)
})

test('YAML that would take its reader long is refused at once', async () => {
  const post = (body: string) => send('POST', '/api/v1/namespaces/default/configmaps', body, { 'content-type': 'application/yaml' })
  const lines = (count: number, line: (i: number) => string) => Array.from({ length: count }, (_, i) => line(i)).join('\n')
  const bodies: [what: string, body: string, status: number, says: RegExp][] = [
    ['many keys', lines(20_000, (i) => `k${i}: x`), 400, /more than 50000 parts/],
    ['open lists', '['.repeat(250_000), 400, /deeper than 100 levels/],
    ['lists in lists by dashes', '- '.repeat(125_000), 400, /deeper than 100 levels/],
    ['keys in keys', '? '.repeat(125_000), 400, /deeper than 100 levels/],
    ['aliases', lines(2_000, (i) => `- &a${i} x\n- *a${i}`), 400, /more than 100 aliases/],
    ['more than 256 KiB', `a: ${'x'.repeat(256 * 1024)}`, 413, /262144 bytes/],
    ['keys that become one', 'data:\n  1: a\n  "1": b\n', 400, /a key is there twice at line 3, column 3/],
    ['a list as a key', '? [a]\n: b\n', 400, /a key is no text at line 1, column 3/],
    ['two documents', 'a: 1\n---\nb: 1\n', 400, /a second document starts/],
  ]
  for (const [what, body, status, says] of bodies) {
    const startedAt = performance.now()
    const answer = await post(body)
    assert.equal(answer.status, status, what)
    assert.match(answer.body.message, says, what)
    assert.ok(performance.now() - startedAt < 2000, `${what} took ${performance.now() - startedAt} ms`)
  }
})

test('a YAML body of thousands of keys is taken', async () => {
  const data = Array.from({ length: 5000 }, (_, i) => `  k${i}: x`).join('\n')
  const body = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: many-keys\ndata:\n${data}\n`
  const made = await send('POST', '/api/v1/namespaces/default/configmaps', body, { 'content-type': 'application/yaml' })
  assert.equal(Object.keys(made.body.data).length, 5000)
})

test('a resource in YAML is taken like one in JSON, and given when asked for', async () => {
  const yaml = 'apiVersion: kaon.dev/v1\nkind: Function\nmetadata:\n  name: from-yaml\nspec:\n  source:\n    inline: "export default 1"\n'
  assert.equal((await send('POST', functionsPath, yaml, { 'content-type': 'application/yaml' })).status, 201)
  const answer = await test_.api.request(`http://localhost${functionsPath}/from-yaml`, { headers: { accept: 'application/yaml' } })
  assert.match(await answer.text(), /^ {2}name: from-yaml$/m)
  assert.equal((await send('GET', `${functionsPath}/from-yaml`, undefined, { accept: 'application/vnd.kubernetes.protobuf' })).status, 406)
})

test('a body past the limit is refused, whether its length is told or not', async () => {
  const large = 'x'.repeat(3 * 1024 * 1024 + 1)
  const told = await send('POST', functionsPath, large, { 'content-length': String(large.length) })
  assert.equal(told.status, 413)
  assert.equal(told.body.reason, 'RequestEntityTooLarge')
  assert.equal((await send('POST', functionsPath, large)).status, 413)
})

test('what many small patches would make too large is refused', async () => {
  await send('POST', functionsPath, sampleFunction('growing'))
  const grow = (path: string) =>
    send('PATCH', `${functionsPath}/growing`, [{ op: 'add', path: '/spec/files/-', value: { path, value: 'x'.repeat(1_000_000) } }], {
      'content-type': 'application/json-patch+json',
    })
  for (const path of ['a', 'b', 'c']) assert.equal((await grow(path)).status, 200)
  assert.equal((await grow('d')).status, 413)
})

test('each mutation leaves one line in the audit log, refused ones too', async () => {
  test_.lines.length = 0
  await send('POST', functionsPath, sampleFunction('audited'))
  await send('POST', functionsPath, sampleFunction('audited'))
  await send('DELETE', `${functionsPath}/audited`)
  await send('GET', functionsPath)
  const common = { resource: 'functions.kaon.dev', namespace: 'default', name: 'audited' }
  assert.deepEqual(
    test_.lines.filter(({ message }) => message === 'audit').map(({ fields }) => fields),
    [
      { verb: 'create', ...common, outcome: 'done' },
      { verb: 'create', ...common, outcome: 'already_exists' },
      { verb: 'delete', ...common, outcome: 'done' },
    ],
  )
})

test('paths and methods that are not served are told apart', async () => {
  const wrongMethod = await send('PUT', functionsPath, {})
  assert.equal(wrongMethod.status, 405)
  assert.equal(wrongMethod.headers.get('allow'), 'GET, POST, DELETE')
  assert.equal((await send('POST', '/apis/kaon.dev/v1/functions', sampleFunction('x'))).status, 405)
  for (const path of [
    '/apis/kaon.dev/v2',
    '/apis/apps/v1/deployments',
    '/api/v1/pods',
    `${functionsPath}/..%2Fx`,
    `${functionsPath}/x/y`,
    '/api/v1/secrets/x',
  ]) {
    const { status, body } = await send('GET', path)
    assert.equal(status, 404, path)
    assert.equal(body.kind, 'Status')
  }
})
