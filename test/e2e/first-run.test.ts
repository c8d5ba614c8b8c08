import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'node:test'
import { npmEnvironment, plainEnvironment } from './harness/environment.ts'
import { call } from './harness/http.ts'
import { root } from './harness/platform.ts'
import { hasProgram } from './harness/require.ts'
import { until } from './harness/wait.ts'

/** The path as a person has it: without our own binaries, so that `node` is the machine's. */
const plainPath = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((entry) => !entry.includes('node_modules'))
  .join(delimiter)

test("README from a clean clone with the machine's own Node: npm ci, npm start, and the next commands work", {
  timeout: 240_000,
}, async (t) => {
  if (!hasProgram(t, 'git', ['--version']) || !hasProgram(t, 'npm', ['--version'])) return
  const home = mkdtempSync(join(tmpdir(), 'kaon-first-run-'))
  const clone = join(home, 'kaon')
  const env = { ...plainEnvironment(), ...npmEnvironment(), PATH: plainPath, HOME: home, KAON_PORT: '0', KAON_GATEWAY_PORT: '0' }
  // What is tracked or about to be, so that the test speaks of the tree it runs in.
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root }).toString().trim().split('\n')
  for (const file of files.filter((name) => existsSync(join(root, name)))) {
    mkdirSync(dirname(join(clone, file)), { recursive: true })
    copyFileSync(join(root, file), join(clone, file))
  }
  execFileSync('npm', ['ci'], { cwd: clone, env, stdio: 'pipe' })
  const child = spawn('npm', ['start'], { cwd: clone, env, stdio: 'pipe', detached: true })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const platformFile = join(home, '.local/share/kaon/platform.json')
  try {
    const { apiUrl, gatewayUrl } = await until(
      'the platform',
      () => existsSync(platformFile) && (JSON.parse(readFileSync(platformFile, 'utf8')) as { apiUrl: string; gatewayUrl: string }),
    )
    const gatewayPort = new URL(gatewayUrl).port
    const hello = await until(
      'hello',
      async () => {
        const answer = await call(`http://hello.default.localhost:${gatewayPort}/?name=Ada`)
        return answer.status === 200 && answer
      },
      60_000,
    )
    assert.deepEqual(hello.json(), { greeting: 'Hello, Ada!' })
    await until('npm start to say where things are', () => output.includes(apiUrl) && output.includes(gatewayUrl))
    await until('what to type next', () => output.includes('curl '), 60_000)
    const page = await call(`${apiUrl}/`, { headers: { accept: 'text/html' } })
    assert.equal(page.status, 200)
    assert.match(page.text, /openapi/)

    const kaon = (args: string[]) =>
      execFileSync('npx', ['kaon', ...args], { cwd: clone, env: { ...env, KAON_SERVER: apiUrl }, stdio: 'pipe' }).toString()
    kaon(['init', 'hello-ts', 'my-function'])
    assert.match(kaon(['deploy', 'my-function']), /http:\/\/my-function\.default\.localhost/)
    assert.match(kaon(['get', 'functions']), /my-function/)
    // Started by whatever Node the machine has, the command finds the right one by itself.
    assert.match(execFileSync('node', [join(clone, 'packages/kaon/bin/kaon.js'), 'version'], { env }).toString(), /\d+\.\d+/)
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${output}`, { cause: error })
  } finally {
    if (existsSync(platformFile)) process.kill((JSON.parse(readFileSync(platformFile, 'utf8')) as { pid: number }).pid, 'SIGTERM')
    await until('npm start to end', () => child.exitCode !== null || child.signalCode !== null, 30_000)
    rmSync(home, { recursive: true, force: true })
  }
})

test('a Node that is too old, where there is no other, gets one clear line', async (t) => {
  const old = plainPath
    .split(delimiter)
    .map((entry) => join(entry, 'node'))
    .find((path) => existsSync(path))
  if (old === undefined || Number.parseInt(execFileSync(old, ['-p', 'process.versions.node']).toString(), 10) >= 26)
    return t.skip('the machine has no Node older than 26')
  const alone = mkdtempSync(join(tmpdir(), 'kaon-old-node-'))
  mkdirSync(join(alone, 'bin'))
  writeFileSync(join(alone, 'package.json'), '{"type":"module"}')
  copyFileSync(join(root, 'packages/kaon/bin/kaon.js'), join(alone, 'bin/kaon.js'))
  const child = spawn(old, [join(alone, 'bin/kaon.js'), 'version'], { stdio: 'pipe' })
  let stderr = ''
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const code = await new Promise((resolve) => child.on('close', resolve))
  assert.equal(code, 1)
  assert.match(stderr, /Node 26/)
  assert.equal(stderr.trim().split('\n').length, 1)
})
