import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { createTestApi, functionsPath } from '../api/test-api.ts'
import { startApiServer } from '../app/api-server.ts'
import { createSystem } from '../app/system.ts'
import { createFolderBlobStore } from '../blobs/folder.ts'
import type { FunctionResource } from '../model/function.ts'
import { openSqliteStore } from '../stores/sqlite.ts'
import { runTestCli, temporaryFolder } from './test-cli.ts'

/** The real API over a real store; what controllers would do, each test does. */
async function start(t: TestContext) {
  const system = createSystem()
  const folder = await temporaryFolder(t)
  mkdirSync(`${folder}/work`)
  const store = await openSqliteStore({ file: `${folder}/store.sqlite`, clock: system.clock })
  const { api, send } = createTestApi(store, {
    clock: system.clock,
    random: system.random,
    blobs: createFolderBlobStore({ ...system, folder: `${folder}/blobs` }),
  })
  const server = await startApiServer({ host: '127.0.0.1', port: 0, fetch: (request) => api.fetch(request) }, system.network)
  t.after(async () => {
    await server.close()
    await store[Symbol.asyncDispose]()
  })
  await send('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } })
  const work = `${folder}/work`
  const environment = { KAON_SERVER: `http://127.0.0.1:${server.port}` }
  const kaon = (args: string[], input?: string) =>
    runTestCli(args, { environment, folder: work, ...(input === undefined ? {} : { input }) })
  const write = (name: string, text: string) => writeFileSync(`${work}/${name}`, text)
  return { kaon, write, send, work }
}

type Send = Awaited<ReturnType<typeof start>>['send']

/** Writes the status of a function as soon as it is there. */
async function settle(
  send: Send,
  name: string,
  generation: number,
  ready: { status: 'True' | 'False'; reason: string; message: string },
): Promise<void> {
  for (;;) {
    const { status, body } = await send('GET', `${functionsPath}/${name}`)
    if (status === 200 && body.metadata.generation === generation) {
      const condition = { type: 'Ready', ...ready, lastTransitionTime: '2026-01-01T00:00:00Z', observedGeneration: generation }
      const next: FunctionResource = {
        ...body,
        status: {
          observedGeneration: generation,
          conditions: [condition],
          url: `http://${name}.default.localhost:8080`,
          latestReadyRevision: `${name}-00001`,
        },
      }
      const written = await send('PUT', `${functionsPath}/${name}/status`, next)
      if (written.status === 200) return
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

test('deploy uploads, waits until it serves, and prints the address alone on stdout', async (t) => {
  const { kaon, write, send } = await start(t)
  write('hello.ts', 'export default () => 1')
  const [result] = await Promise.all([
    kaon(['deploy', 'hello.ts', '--env', 'A=1']),
    settle(send, 'hello', 1, { status: 'True', reason: 'Ready', message: '' }),
  ])
  assert.equal(result.code, 0, result.error)
  assert.equal(result.out, 'http://hello.default.localhost:8080\n')
  const { body } = await send('GET', `${functionsPath}/hello`)
  assert.equal(body.spec.handler, 'hello.ts')
  assert.deepEqual(body.spec.env, [{ name: 'A', value: '1' }])
  assert.match(body.spec.source.upload, /^sha256:/)
  const again = await kaon(['deploy', 'hello.ts'])
  assert.equal(again.code, 0)
  assert.match(again.error, /unchanged/)
  assert.equal((await send('GET', `${functionsPath}/hello`)).body.metadata.resourceVersion, body.metadata.resourceVersion)
})

test('a deploy adds variables to those that are there, and leaves other fields alone', async (t) => {
  const { kaon, write, send } = await start(t)
  write('hello.ts', 'export default () => 1')
  await kaon(['deploy', 'hello.ts', '--no-wait', '--env', 'A=1', '--env', 'B=2', '--timeout', '5s'])
  await kaon(['deploy', 'hello.ts', '--no-wait', '--env', 'B=3', '--memory', '64Mi'])
  const { spec } = (await send('GET', `${functionsPath}/hello`)).body
  assert.deepEqual(spec.env, [
    { name: 'A', value: '1' },
    { name: 'B', value: '3' },
  ])
  assert.equal(spec.timeout, '5s')
  assert.equal(spec.resources.memory, '64Mi')
})

test('a deploy that fails tells why and ends with 1; one that takes too long ends with 6', async (t) => {
  const { kaon, write, send } = await start(t)
  write('hello.ts', 'export default () => 1')
  const failing = { status: 'False', reason: 'BuildFailed', message: 'handler.ts:1:1: Unexpected end of file' } as const
  const [failed] = await Promise.all([kaon(['deploy', 'hello.ts']), settle(send, 'hello', 1, failing)])
  assert.equal(failed.code, 1)
  assert.match(failed.error, /handler\.ts:1:1: Unexpected end of file/)
  assert.equal(failed.out, '')
  write('slow.ts', 'export default () => 1')
  const late = await kaon(['deploy', 'slow.ts', '--timeout-wait', '150ms'])
  assert.equal(late.code, 6)
  assert.match(late.error, /not ready after 0\.15 s/)
})

test("a folder's kaon.yaml is followed, and what it no longer says is taken back", async (t) => {
  const { kaon, write, send } = await start(t)
  write('handler.ts', 'export default () => 1')
  const yaml = 'apiVersion: kaon.dev/v1\nkind: Function\nmetadata: { name: shop }\nspec:\n  timeout: 5s\n'
  write('kaon.yaml', `${yaml}  concurrency: 7\n`)
  assert.equal((await kaon(['deploy', '--no-wait'])).code, 0)
  await send('PATCH', `${functionsPath}/shop`, { spec: { workers: 2 } }, { 'content-type': 'application/merge-patch+json' })
  write('kaon.yaml', yaml)
  assert.equal((await kaon(['deploy', '--no-wait'])).code, 0)
  const { spec } = (await send('GET', `${functionsPath}/shop`)).body
  assert.deepEqual([spec.timeout, spec.concurrency, spec.workers, spec.handler], ['5s', 100, 2, 'handler.ts'])
  write('kaon.yaml', `${yaml}  concurency: 7\n`)
  const wrong = await kaon(['deploy', '--no-wait'])
  assert.equal(wrong.code, 1)
  assert.match(wrong.error, /kaon\.yaml:6:3: spec\.concurency: .*concurrency/)
})

test("secrets and config maps in a function's file are applied with it, and a folder's only code is its handler", async (t) => {
  const { kaon, write, send, work } = await start(t)
  mkdirSync(`${work}/greeter`)
  write('greeter/greeting.ts', 'export default () => 1')
  const companion = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: words }\ndata: { a: hello }\n'
  write('greeter/kaon.yaml', `${companion}---\napiVersion: kaon.dev/v1\nkind: Function\n`)
  const result = await kaon(['deploy', 'greeter', '--no-wait'])
  assert.equal(result.code, 0, result.error)
  assert.match(result.error, /configmap\/words created/)
  assert.equal((await send('GET', `${functionsPath}/greeter`)).body.spec.handler, 'greeting.ts')
  write('greeter/kaon.yaml', companion)
  assert.match((await kaon(['deploy', 'greeter'])).error, /holds no function.*\n.*kaon apply -f/)
})

test('nothing to deploy is told before anything is sent', async (t) => {
  const { kaon, write, send, work } = await start(t)
  mkdirSync(`${work}/empty`)
  write('script.py', 'print(1)')
  for (const [path, expected] of [
    ['missing.ts', /no file or folder 'missing\.ts'/],
    ['empty', /no handler in 'empty'/],
    ['script.py', /no runtime for '\.py'/],
  ] as const) {
    const result = await kaon(['deploy', path])
    assert.equal(result.code, 1)
    assert.match(result.error, expected)
  }
  assert.deepEqual((await send('GET', functionsPath)).body.items, [])
})

test('apply creates, leaves alone and changes; a broken file among them changes nothing', async (t) => {
  const { kaon, write, send } = await start(t)
  write(
    'a.yaml',
    'apiVersion: v1\nkind: Secret\nmetadata: { name: api }\nstringData: { token: s3cret-value }\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\ndata: { a: "1" }\n',
  )
  const applied = await kaon(['apply', '-f', 'a.yaml'])
  assert.equal(applied.out, 'secret/api created\nconfigmap/c created\n')
  assert.equal((await kaon(['apply', '-f', 'a.yaml'])).out, 'secret/api unchanged\nconfigmap/c unchanged\n')
  assert.ok(!JSON.stringify((await send('GET', '/api/v1/namespaces/default/secrets/api')).body.metadata).includes('s3cret'))
  const changed = await kaon(['apply', '-f', '-'], 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\ndata: { b: "2" }\n')
  assert.equal(changed.out, 'configmap/c configured\n')
  assert.deepEqual((await send('GET', '/api/v1/namespaces/default/configmaps/c')).body.data, { b: '2' })
  assert.match((await kaon(['apply', '-f', '-'], '')).error, /no resources in standard input/)
  write('b.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: d }\n---\napiVersion: v1\nkind: [\n')
  const broken = await kaon(['apply', '-f', 'b.yaml'])
  assert.equal(broken.code, 1)
  assert.match(broken.error, /^error: b\.yaml:\d+:\d+: /)
  assert.equal((await send('GET', '/api/v1/namespaces/default/configmaps/d')).status, 404)
  write('c.yaml', 'apiVersion: v1\nkind: ConfigMapp\nmetadata: { name: d }\n')
  assert.match((await kaon(['apply', '-f', 'c.yaml'])).error, /c\.yaml:2:1: kind: The server has no kind 'ConfigMapp'/)
})

test('get prints tables, names, data and paths; delete deletes all or nothing', async (t) => {
  const { kaon, write } = await start(t)
  write(
    'a.yaml',
    ['x', 'y'].map((name) => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, labels: { app: ${name} } }\n`).join('---\n'),
  )
  await kaon(['apply', '-f', 'a.yaml'])
  assert.match((await kaon(['get', 'cm'])).out, /^NAME +DATA +AGE\nx +0 +\d+s\ny +0 +\d+s\n$/)
  assert.match((await kaon(['get', 'cm', '-A', '-l', 'app=y'])).out, /^NAMESPACE .*\ndefault +y .*\n$/)
  assert.equal((await kaon(['get', 'configmap/x', '-o', 'name'])).out, 'configmap/x\n')
  assert.equal((await kaon(['get', 'cm', '-o', 'jsonpath={.items[*].metadata.name}'])).out, 'x y')
  assert.equal(JSON.parse((await kaon(['get', 'cm', 'x', '-o', 'json'])).out).metadata.name, 'x')
  assert.equal((await kaon(['get', 'cm', 'z'])).code, 3)
  assert.equal((await kaon(['get', 'cmm'])).code, 2)
  assert.equal((await kaon(['delete', 'cm', 'x', 'z'])).code, 3)
  assert.equal((await kaon(['get', 'cm', 'x'])).code, 0)
  assert.equal((await kaon(['delete', 'configmaps', '--all'])).code, 2)
  assert.equal((await kaon(['delete', 'configmaps', '--all', '--yes'])).out, 'configmap/x deleted\nconfigmap/y deleted\n')
  assert.match((await kaon(['get', 'cm'])).error, /There are no configmaps in namespace 'default'/)
})

test('the value of a secret is in nothing that secret commands print', async (t) => {
  const { kaon, write } = await start(t)
  write('.env', 'PASSWORD="hunter2-hunter2"\n# note\n')
  const made = await kaon(['secret', 'create', 'db', '--from-env-file', '.env', '--from-file', 'token=-'], 'standard-input-value')
  assert.equal(made.code, 0, made.error)
  const results = [
    made,
    await kaon(['secret', 'list', '-o', 'json']),
    await kaon(['describe', 'secret', 'db']),
    await kaon(['secret', 'create', 'db', '--from-literal', 'hunter2-hunter2']),
    await kaon(['secret', 'create', 'db', '--from-literal', 'a=hunter2-hunter2']),
  ]
  for (const { out, error } of results) assert.doesNotMatch(`${out}${error}`, /hunter2|standard-input-value|aHVudGVy/)
  assert.match(results[1]!.out, /"PASSWORD"/)
  assert.deepEqual(
    results.slice(3).map(({ code }) => code),
    [2, 5],
  )
  assert.equal((await kaon(['secret', 'delete', 'db'])).code, 0)
})

test('completion knows commands, options, and what the server has', async (t) => {
  const { kaon, write } = await start(t)
  write('hello.ts', 'export default () => 1')
  await kaon(['deploy', 'hello.ts', '--no-wait'])
  const complete = async (...words: string[]) => (await kaon(['__complete', '--', ...words])).out.split('\n').filter((word) => word !== '')
  assert.deepEqual(await complete('de'), ['dev', 'deploy', 'describe', 'delete'])
  assert.deepEqual(await complete('secret', ''), ['create', 'list', 'delete'])
  assert.deepEqual(await complete('logs', ''), ['hello'])
  assert.deepEqual(await complete('get', 'functions', 'h'), ['hello'])
  assert.deepEqual(await complete('-n', ''), ['default'])
  assert.deepEqual(await complete('deploy', '--isolation', ''), ['thread', 'process'])
  assert.deepEqual(await complete('deploy', '--no-w'), ['--no-wait'])
  assert.ok((await complete('get', '')).includes('functions'))
  assert.deepEqual(await complete('logs', '--server', 'http://127.0.0.1:1', ''), [])
})

test('init writes a template under the new name, and nothing where a file would be lost', async (t) => {
  const { kaon, work } = await start(t)
  const made = await kaon(['init', 'stream', 'My Ticker'])
  assert.equal(made.code, 0)
  assert.match(made.error, /'My Ticker' is no name for a function: it is called 'my-ticker'/)
  assert.match(made.error, /kaon deploy 'My Ticker'\n/)
  const { readFileSync } = await import('node:fs')
  assert.match(readFileSync(`${work}/My Ticker/kaon.yaml`, 'utf8'), /name: my-ticker\n/)
  assert.match(readFileSync(`${work}/My Ticker/handler.ts`, 'utf8'), /text\/event-stream/)
  mkdirSync(`${work}/taken`)
  writeFileSync(`${work}/taken/README.md`, 'mine')
  assert.equal((await kaon(['init', 'hello-ts', 'taken'])).code, 5)
  assert.deepEqual(readdirSync(`${work}/taken`), ['README.md'])
  assert.equal((await kaon(['init', 'hello-tss'])).code, 2)
})

test('wait ends when the condition holds, and with 6 when it does not', async (t) => {
  const { kaon, write, send } = await start(t)
  write('hello.ts', 'export default () => 1')
  await kaon(['deploy', 'hello.ts', '--no-wait'])
  assert.equal((await kaon(['wait', 'function/hello', '--timeout', '100ms'])).code, 6)
  const [met] = await Promise.all([
    kaon(['wait', 'function/hello', '--timeout', '5s']),
    settle(send, 'hello', 1, { status: 'True', reason: 'Ready', message: '' }),
  ])
  assert.equal(met.code, 0)
  assert.equal((await kaon(['wait', 'function/nobody'])).code, 3)
  assert.equal((await kaon(['wait', 'function/nobody', '--for=delete'])).code, 0)
  assert.equal((await kaon(['wait', 'function/hello', '--for=tea'])).code, 2)
})

test('a reference that is missing is hinted at with the command that makes it', async (t) => {
  const { kaon, write, send } = await start(t)
  write('hello.ts', 'export default () => 1')
  write(
    'kaon.yaml',
    'apiVersion: kaon.dev/v1\nkind: Function\nmetadata: { name: hello }\nspec:\n  env:\n    - { name: A, secret: { name: api, key: token } }\n    - { name: B, config: { name: shop, key: url } }\n',
  )
  const message = "There is no secret 'api'. There is no config map 'shop'."
  const [result] = await Promise.all([kaon(['deploy']), settle(send, 'hello', 1, { status: 'False', reason: 'MissingReference', message })])
  assert.equal(result.code, 1)
  assert.match(
    result.error,
    /try: .*'kaon secret create api --from-literal token=…', and 'kubectl create configmap shop --from-literal url=…'/,
  )
})

test('an object too large for a note of what was applied is refused for what it holds itself, not for the note', async (t) => {
  const { kaon, write, send } = await start(t)
  const map = (value: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: big }\ndata: { a: ${value}, b: x }\n`
  const path = '/api/v1/namespaces/default/configmaps/big'
  const note = 'kubectl.kubernetes.io/last-applied-configuration'
  write('big.yaml', map('small'))
  await kaon(['apply', '-f', 'big.yaml'])
  await send('PATCH', path, { metadata: { annotations: { mine: 'stays' } } }, { 'content-type': 'application/merge-patch+json' })
  assert.ok((await send('GET', path)).body.metadata.annotations[note])
  write('big.yaml', map('v'.repeat(300_000)))
  const result = await kaon(['apply', '-f', 'big.yaml'])
  assert.equal(result.out, 'configmap/big configured\n', result.error)
  assert.deepEqual((await send('GET', path)).body.metadata.annotations, { mine: 'stays' })
  write(
    'fn.yaml',
    `apiVersion: kaon.dev/v1\nkind: Function\nmetadata: { name: f }\nspec: { source: { upload: 'sha256:${'0'.repeat(64)}' }, env: [{ name: A, value: ${'v'.repeat(300_000)} }] }\n`,
  )
  const refused = await kaon(['apply', '-f', 'fn.yaml'])
  assert.equal(refused.code, 1)
  assert.match(refused.error, /spec\.env\[0\]\.value/)
  assert.doesNotMatch(refused.error, /annotations/)
  assert.ok(
    refused.error.split('\n').every((line) => line.length < 400),
    'lines are cut',
  )
})

test('status names the server that answers, though nothing runs on the data folder', async (t) => {
  const { kaon, work } = await start(t)
  const result = await kaon(['status', '--data', `${work}/data`])
  assert.equal(result.code, 1)
  assert.match(result.out, /does not run on this data folder\n.*\nServer +\S+ answers at http:\/\/127\.0\.0\.1:\d+\n/)
  assert.match((await kaon(['status', '--data', `${work}/data`, '--server', 'http://127.0.0.1:1'])).out, /does not run; start it/)
})

test('what is not there is told in the same words everywhere, a mistyped namespace too', async (t) => {
  const { kaon } = await start(t)
  for (const words of [
    ['get', 'function', 'x'],
    ['delete', 'function', 'x'],
    ['wait', 'function/x'],
    ['describe', 'function', 'x'],
  ]) {
    const result = await kaon(words)
    assert.equal(result.code, 3, words.join(' '))
    assert.match(result.error, /^error: There is no function 'x' in namespace 'default'\./)
  }
  for (const output of ['table', 'json']) {
    const result = await kaon(['-n', 'nons', 'get', 'fn', '-o', output])
    assert.equal(result.code, 3)
    assert.match(result.error, /There is no namespace 'nons'\./)
    assert.equal((await kaon(['-n', 'default', 'get', 'fn', '-o', output])).code, 0)
  }
})
