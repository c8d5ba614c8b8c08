// The real kubectl judges: it discovers, prints, applies, patches, watches and deletes against the API as it would on a cluster.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { type ServerType, serve } from '@hono/node-server'
import { createSystem } from '../app/system.ts'
import { openSqliteStore } from '../stores/sqlite.ts'
import type { Store } from '../stores/store.ts'
import { createTestApi } from './test-api.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'kaon-kubectl-'))
const env = { PATH: process.env.PATH ?? '', HOME: folder, KUBECONFIG: join(folder, 'none') }
const skip = await missingKubectl()
let store: Store
let server: ServerType
let address: string

async function missingKubectl(): Promise<string | false> {
  try {
    await run('kubectl', ['version', '--client'], { env })
    return false
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    if (process.env.KAON_TEST_REQUIRE === 'all') throw new Error('kubectl is missing (KAON_TEST_REQUIRE=all)', { cause: error })
    return 'kubectl is missing'
  }
}

before(async () => {
  const { clock } = createSystem()
  store = await openSqliteStore({ file: join(folder, 'store.sqlite'), clock })
  const { api, send } = createTestApi(store, { clock })
  await send('POST', '/api/v1/namespaces', { metadata: { name: 'default' } })
  server = serve({ fetch: api.fetch, port: 0, hostname: '127.0.0.1' })
  if (!server.listening) await once(server, 'listening')
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

after(async () => {
  await new Promise((resolve) => server.close(resolve))
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

async function kubectl(...args: string[]): Promise<string> {
  const { stdout } = await run('kubectl', ['--server', address, ...args], { env, timeout: 30_000 })
  return stdout
}

function manifest(name: string, spec = ''): string {
  const file = join(folder, `${name}.yaml`)
  const lines = [
    'apiVersion: kaon.dev/v1',
    'kind: Function',
    'metadata:',
    `  name: ${name}`,
    'spec:',
    '  source:',
    '    inline: export default () => 1',
  ]
  writeFileSync(file, `${lines.join('\n')}\n${spec}`)
  return file
}

test('kubectl applies a function, finds it unchanged, configures and deletes it', { skip }, async () => {
  assert.equal(await kubectl('apply', '-f', manifest('applied')), 'function.kaon.dev/applied created\n')
  assert.equal(await kubectl('apply', '-f', manifest('applied')), 'function.kaon.dev/applied unchanged\n')
  assert.equal(await kubectl('apply', '-f', manifest('applied', '  workers: 2\n')), 'function.kaon.dev/applied configured\n')
  assert.equal(await kubectl('get', 'function', 'applied', '-o', 'jsonpath={.spec.workers} {.metadata.generation}'), '2 2')
  assert.equal(await kubectl('apply', '-f', manifest('applied')), 'function.kaon.dev/applied configured\n')
  assert.equal(await kubectl('get', 'fn/applied', '-o', 'jsonpath={.spec.workers}'), '1')
  assert.match(await kubectl('delete', '-f', manifest('applied')), /"applied" deleted/)
  await assert.rejects(kubectl('get', 'fn', 'applied'), /Error from server \(NotFound\): functions\.kaon\.dev "applied" not found/)
})

test('kubectl prints our columns, the wide ones when asked, and YAML', { skip }, async () => {
  await kubectl('apply', '-f', manifest('printed'))
  const [header, row] = (await kubectl('get', 'fn', 'printed')).split('\n') as [string, string]
  assert.deepEqual(header.split(/ {2,}|\s+$/).filter(Boolean), ['NAME', 'URL', 'REVISION', 'READY', 'REASON', 'AGE'])
  assert.match(row, /^printed .*\ds$/)
  assert.match(await kubectl('get', 'functions', '-o', 'wide'), /REPLICAS +RUNTIME[\s\S]*printed +node/)
  assert.match(await kubectl('get', 'fn', 'printed', '-o', 'yaml'), /^kind: Function$[\s\S]*^ {2}name: printed$/m)
  assert.match(await kubectl('get', 'all', '--all-namespaces'), /function\.kaon\.dev\/printed/)
})

test('kubectl labels and patches a function', { skip }, async () => {
  await kubectl('apply', '-f', manifest('labelled'))
  assert.equal(await kubectl('label', 'fn', 'labelled', 'tier=web'), 'function.kaon.dev/labelled labeled\n')
  assert.equal(await kubectl('get', 'fn', '-l', 'tier in (web)', '-o', 'name'), 'function.kaon.dev/labelled\n')
  await kubectl('patch', 'fn', 'labelled', '--type=merge', '-p', '{"spec":{"timeout":"5s"}}')
  await kubectl('patch', 'fn', 'labelled', '--type=json', '-p', '[{"op":"replace","path":"/spec/workers","value":3}]')
  assert.equal(await kubectl('get', 'fn', 'labelled', '-o', 'jsonpath={.spec.timeout} {.spec.workers}'), '5s 3')
})

test('kubectl shows what is wrong with a function, field by field', { skip }, async () => {
  await assert.rejects(kubectl('apply', '-f', manifest('wrong', '  workers: many\n')), /spec\.workers/)
  await assert.rejects(kubectl('apply', '-f', manifest('wrong', '  wrokers: 1\n')), /wrokers/)
})

test('kubectl get -w prints a function that appears', { skip }, async () => {
  const watching = spawn('kubectl', ['--server', address, 'get', 'fn', '-w', '-l', 'watched=yes', '--output-watch-events'], { env })
  let output = ''
  watching.stdout.on('data', (chunk) => {
    output += chunk
  })
  try {
    // Its watch begins some time after it does: events are made until one is seen.
    for (let i = 0; i < 50 && !output.includes('watched-'); i++) {
      await kubectl('apply', '-f', manifest(`watched-${i}`))
      await kubectl('label', 'fn', `watched-${i}`, 'watched=yes')
    }
    assert.match(output, /ADDED +watched-\d/)
  } finally {
    watching.kill()
    await once(watching, 'exit')
  }
})

test('kubectl creates secrets, config maps and namespaces, and applies to them', { skip }, async () => {
  assert.equal(await kubectl('create', 'secret', 'generic', 'keys', '--from-literal=token=hunter2'), 'secret/keys created\n')
  assert.equal(await kubectl('get', 'secret', 'keys', '-o', 'jsonpath={.data.token}'), Buffer.from('hunter2').toString('base64'))
  assert.match(await kubectl('get', 'secrets'), /keys +Opaque +1/)
  const file = join(folder, 'config.yaml')
  const config = (data: string) => writeFileSync(file, `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: config }\ndata: ${data}\n`)
  config('{ a: "1", b: "2" }')
  assert.equal(await kubectl('apply', '-f', file), 'configmap/config created\n')
  config('{ a: "3" }')
  assert.equal(await kubectl('apply', '-f', file), 'configmap/config configured\n')
  assert.equal(await kubectl('get', 'cm', 'config', '-o', 'jsonpath={.data}'), '{"a":"3"}')
  assert.equal(await kubectl('create', 'namespace', 'team'), 'namespace/team created\n')
  assert.match(await kubectl('get', 'ns'), /team +Active/)
  await kubectl('delete', 'ns', 'team', '--wait=false')
  assert.match(await kubectl('get', 'ns', 'team'), /team +Terminating/)
})

test('kubectl explains a field and describes a function', { skip }, async () => {
  const explained = await kubectl('explain', 'function.spec.scale')
  assert.match(explained, /GROUP: +kaon\.dev/)
  assert.match(explained, /min\s+<integer>/)
  await kubectl('apply', '-f', manifest('described'))
  assert.match(await kubectl('describe', 'fn', 'described'), /Name: +described/)
})

test('kubectl lists what is served', { skip }, async () => {
  assert.match(await kubectl('api-resources'), /functions +fn +kaon\.dev\/v1 +true +Function/)
  assert.match(await kubectl('version'), /Server Version: v1\.32\.0\+kaon-0\.1\.0/)
})
