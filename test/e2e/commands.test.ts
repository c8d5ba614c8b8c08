import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { runKaon, TestPlatform } from './harness/platform.ts'
import { until } from './harness/wait.ts'

// Every command against the real thing, as a person would type it.
const platform = new TestPlatform()
const work = mkdtempSync(join(tmpdir(), 'kaon-commands-'))

before(() => platform.start())
after(() => platform[Symbol.asyncDispose]())

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
const parse = <T = Record<string, unknown>>(text: string) => JSON.parse(text) as T

test('version, help and completion need no platform', async () => {
  assert.match((await runKaon(['version'])).stdout, /\d+\.\d+\.\d+/)
  const help = await runKaon(['--help'])
  assert.equal(help.code, 0)
  const commands =
    'start stop status doctor init dev run deploy invoke logs get describe delete edit apply wait secret namespace context bench completion'.split(
      ' ',
    )
  for (const name of commands) {
    assert.match(help.stdout, new RegExp(`\\b${name}\\b`))
    const own = await runKaon(['help', name])
    assert.equal(own.code, 0, name)
    assert.match(own.stdout, /Usage {2}kaon/, name)
  }
  for (const name of ['deploy', 'secret create', 'namespace list', 'context export']) {
    assert.match((await runKaon(['help', ...name.split(' ')])).stdout, /Examples/, name)
  }
  for (const shell of ['bash', 'zsh', 'fish']) assert.ok((await runKaon(['completion', shell])).stdout.length > 100)
  const script = (await runKaon(['completion', 'bash'])).stdout
  execFileSync('bash', ['-n'], { input: script })
})

test('status and doctor tell what runs and what is wrong', async () => {
  const status = await platform.must(['status', '--data', platform.data])
  assert.ok(status.stdout.includes(platform.file.apiUrl), status.stdout)
  const doctor = await platform.kaon(['doctor', '--data', platform.data, '-o', 'json'])
  const { checks } = parse<{ checks: { name: string; state: 'ok' | 'warning' | 'failed' }[] }>(doctor.stdout)
  assert.ok(checks.length >= 12)
  assert.equal(doctor.code, checks.some((check) => check.state === 'failed') ? 1 : 0)
  const away = await runKaon(['doctor', '--data', '/dev/null/nowhere', '-o', 'json'])
  assert.equal(away.code, 1, away.stdout)
  assert.ok(
    parse<{ checks: { name: string; state: string; mend?: string }[] }>(away.stdout).checks.some(
      (check) => check.state === 'failed' && check.mend,
    ),
  )
})

test('init makes every template, which deploys and answers', async () => {
  const { stdout } = await platform.must(['init', '--list', '-o', 'json'])
  const templates = parse<{ name: string }[]>(stdout)
  assert.ok(templates.length >= 5)
  // What the webhook template's README asks for.
  await platform.must(['secret', 'create', 'webhook', '--from-literal', 'secret=it-is-a-test'])
  for (const { name } of templates) {
    const folder = join(work, `from-${name}`)
    await platform.must(['init', name, folder])
    const again = await platform.kaon(['init', name, folder])
    assert.equal(again.code, 5, 'init overwrote a folder')
    if (existsSync(join(folder, 'package.json')) && /"dependencies"/.test(readFileSync(join(folder, 'package.json'), 'utf8'))) continue
    const deployed = await platform.must(['deploy', folder])
    assert.match(deployed.stdout, new RegExp(`http://from-${name}\\.default\\.localhost:\\d+`))
    assert.ok((await platform.call(`from-${name}`)).status < 500)
  }
})

test('deploy, invoke, logs, get, describe, edit and delete: the life of a function', async () => {
  const file = join(work, 'life.ts')
  writeFileSync(
    file,
    `import type { Event, Context } from '@kaon/sdk'\nexport default (event: Event, context: Context) => { context.logger.warn('seen', { method: event.method }); console.log('printed'); return { method: event.method, path: event.path, body: event.text(), header: event.headers.get('x-a'), mode: process.env.MODE } }\n`,
  )
  const deployed = await platform.must(['deploy', file, '--env', 'MODE=one'])
  assert.match(deployed.stdout.trim(), /^http:\/\/life\.default\.localhost:\d+\/?$/)

  const invoked = await platform.must(['invoke', 'life', '-d', 'hello', '-H', 'x-a: b', '-X', 'PUT', '--path', '/p?q=1'])
  assert.deepEqual(parse(invoked.stdout), { method: 'PUT', path: '/p', body: 'hello', header: 'b', mode: 'one' })
  assert.equal(parse((await platform.must(['invoke', 'life', '-d', '-'], { input: 'from stdin' })).stdout).body, 'from stdin')

  await until('the log', async () =>
    /WARN.*seen[\s\S]*printed|printed[\s\S]*WARN.*seen/i.test((await platform.must(['logs', 'life'])).stdout),
  )
  const warnings = (await platform.must(['logs', 'life', '--level', 'warn', '-o', 'json'])).stdout
    .trim()
    .split('\n')
    .map((line) => parse<{ level: string; requestId?: string; msg: string }>(line))
  assert.ok(warnings.length >= 2 && warnings.every((line) => line.level === 'warn' || line.level === 'error'))
  assert.ok(warnings.some((line) => line.msg === 'seen' && line.requestId))

  assert.match((await platform.must(['get', 'functions'])).stdout, /NAME[\s\S]*life/)
  assert.equal(
    parse<{ spec: { env: { value: string }[] } }>((await platform.must(['get', 'fn', 'life', '-o', 'json'])).stdout).spec.env[0]?.value,
    'one',
  )
  assert.equal((await platform.must(['get', 'fn', 'life', '-o', 'jsonpath={.status.latestReadyRevision}'])).stdout.trim(), 'life-00001')
  assert.match((await platform.must(['get', 'revisions', '-o', 'name'])).stdout, /revision\S*\/life-00001/)
  const described = (await platform.must(['describe', 'function', 'life'])).stdout
  assert.match(described, /Ready/)
  assert.match(described, /life-00001/)

  const editor = join(work, 'editor.cjs')
  writeFileSync(
    editor,
    `const fs = require('node:fs'); const f = process.argv.at(-1); fs.writeFileSync(f, fs.readFileSync(f, 'utf8').replace('value: one', 'value: two'))`,
  )
  await platform.must(['edit', 'function', 'life'], { env: { EDITOR: `${process.execPath} ${editor}` } })
  await platform.must(['wait', 'function/life', '--for=condition=Ready', '--timeout', '20s'])
  await until('the edit to serve', async () => parse((await platform.must(['invoke', 'life'])).stdout).mode === 'two')

  const unchanged = await platform.must(['deploy', file, '--env', 'MODE=two'])
  assert.ok(unchanged.stdout.includes('http://life.'))
  assert.equal(
    (await platform.must(['get', 'fn', 'life', '-o', 'jsonpath={.status.latestReadyRevision}'])).stdout.trim(),
    'life-00002',
    'the same source and spec made a new revision',
  )

  await platform.must(['delete', 'function', 'life'])
  await until('it to be gone', async () => (await platform.kaon(['get', 'function', 'life'])).code === 3)
  assert.equal((await platform.call('life')).status, 404)
  await until('nothing to be left', () => !existsSync(join(platform.data, 'logs/default/life')))
})

test('apply says created, configured and unchanged, and wait waits', async () => {
  const file = join(work, 'applied.yaml')
  const yaml = (text: string) =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: words }\ndata: { word: ${text} }\n---\napiVersion: kaon.dev/v1\nkind: Function\nmetadata: { name: applied }\nspec:\n  handler: handler.js\n  source: { inline: "export default () => process.env.WORD" }\n  env: [ { name: WORD, config: { name: words, key: word } } ]\n`
  writeFileSync(file, yaml('first'))
  assert.match((await platform.must(['apply', '-f', file])).stdout, /created[\s\S]*created/)
  await platform.must(['wait', 'function/applied', '--for=condition=Ready', '--timeout', '30s'])
  assert.equal((await platform.call('applied')).text, 'first')
  assert.match((await platform.must(['apply', '-f', file])).stdout, /unchanged[\s\S]*unchanged/)
  writeFileSync(file, yaml('second'))
  assert.match((await platform.must(['apply', '-f', file])).stdout, /configured[\s\S]*unchanged/)
  await until('the new value', async () => (await platform.call('applied')).text === 'second')
  await platform.must(['delete', '-f', file])
  await platform.must(['wait', 'function/applied', '--for=delete', '--timeout', '30s'])
})

test('secret, namespace and context keep and show what they should', async () => {
  await platform.must(['secret', 'create', 'api', '--from-literal', 'token=swordfish-1'])
  const listed = await platform.must(['secret', 'list'])
  assert.match(listed.stdout, /api/)
  assert.doesNotMatch(listed.stdout, /swordfish|c3dvcmRmaXNo/)
  const file = join(work, 'reader.yaml')
  writeFileSync(
    file,
    'apiVersion: kaon.dev/v1\nkind: Function\nmetadata: { name: reader }\nspec:\n  handler: handler.js\n  source: { inline: "export default (e, c) => { console.log(process.env.TOKEN); return String(process.env.TOKEN.length) + Object.keys(c.secrets) }" }\n  env: [ { name: TOKEN, secret: { name: api, key: token } } ]\n',
  )
  await platform.must(['apply', '-f', file])
  await platform.must(['wait', 'function/reader', '--for=condition=Ready', '--timeout', '30s'])
  assert.equal((await platform.call('reader')).text, '11api.token')
  await until('a log line without the secret', async () => (await platform.must(['logs', 'reader'])).stdout.includes('***'))
  assert.doesNotMatch((await platform.must(['logs', 'reader'])).stdout, /swordfish/)
  await platform.must(['secret', 'delete', 'api'])

  await platform.must(['namespace', 'create', 'staging'])
  writeFileSync(join(work, 'there.js'), 'export default () => "there"\n')
  await platform.must(['deploy', join(work, 'there.js'), '-n', 'staging'])
  assert.match((await platform.must(['get', 'functions', '-A'])).stdout, /staging\s+there/)
  assert.equal((await platform.must(['invoke', 'there', '-n', 'staging'])).stdout.trim(), 'there')
  await platform.must(['namespace', 'delete', 'staging', '--yes'])
  await until('the namespace to be gone', async () => !(await platform.must(['namespace', 'list'])).stdout.includes('staging'))

  const noServer = { env: { KAON_SERVER: '' } }
  await platform.must(['context', 'set', 'here', '--server', platform.file.apiUrl], noServer)
  await platform.must(['context', 'use', 'here'], noServer)
  assert.match((await platform.must(['context', 'list'], noServer)).stdout, /here/)
  assert.match((await platform.must(['get', 'namespaces'], noServer)).stdout, /default/)
})

test('bench gives a bounded histogram, and refuses to load another machine', async () => {
  writeFileSync(join(work, 'quick.js'), 'export default () => "ok"\n')
  await platform.must(['deploy', join(work, 'quick.js')])
  const { stdout } = await platform.must(['bench', 'quick', '-r', '500', '-c', '8'])
  assert.match(stdout, /p99/)
  assert.match(stdout, /500/)
  const refused = await platform.kaon(['bench', 'quick', '--server', 'http://192.0.2.1:8070'])
  assert.notEqual(refused.code, 0)
})

test('invoke exits with 7 when the function failed', async () => {
  writeFileSync(join(work, 'fails.js'), 'export default () => { throw new Error("no") }\n')
  await platform.must(['deploy', join(work, 'fails.js')])
  assert.equal((await platform.kaon(['invoke', 'fails'])).code, 7)
})

test('start --detach, status and stop: the platform in the background', async () => {
  const data = join(work, 'background')
  const started = await runKaon(['start', '--detach', '--data', data, '--port', '0', '--gateway-port', '0'])
  assert.equal(started.code, 0, started.stderr)
  const { pid } = parse<{ pid: number }>(readFileSync(join(data, 'platform.json'), 'utf8'))
  process.kill(pid, 0)
  const stopped = await runKaon(['stop', '--data', data])
  assert.equal(stopped.code, 0, stopped.stderr)
  await until('the launcher to be gone', () => !isRunning(pid))
  const again = await runKaon(['stop', '--data', data])
  assert.equal(again.code, 0, 'stopping what is stopped is fine')
})
