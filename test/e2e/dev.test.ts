import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { plainEnvironment } from './harness/environment.ts'
import { root, TestPlatform } from './harness/platform.ts'
import { until } from './harness/wait.ts'

test('kaon dev deploys, redeploys on save, keeps the old revision on an error, and shows the log', async () => {
  await using platform = await new TestPlatform().start()
  const file = join(mkdtempSync(join(tmpdir(), 'kaon-dev-')), 'looped.ts')
  const version = (n: number) => `export default () => { console.log('called ${n}'); return 'version ${n}' }\n`
  writeFileSync(file, version(1))
  const child = spawn(process.execPath, [join(root, 'packages/kaon/bin/kaon.js'), 'dev', file], {
    env: { ...plainEnvironment(), ...platform.env },
    stdio: 'pipe',
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  try {
    const answers = (text: string) => until(`the answer '${text}'`, async () => (await platform.call('looped')).text === text, 20_000)
    await answers('version 1')
    writeFileSync(file, version(2))
    await answers('version 2')
    await until('the log line', () => output.includes('called 2'))
    writeFileSync(file, 'export default () => {\n')
    await until('the error', () => /looped\.ts:\d+:\d+/.test(output))
    assert.equal((await platform.call('looped')).text, 'version 2')
    writeFileSync(file, version(3))
    await answers('version 3')
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${output}`, { cause: error })
  } finally {
    child.kill('SIGINT')
    await until('kaon dev to end', () => child.exitCode !== null || child.signalCode !== null)
  }
  assert.ok([0, 130].includes(child.exitCode ?? -1), `ended with ${child.exitCode}`)
})

test('kaon run serves one function without a platform, and ends on Ctrl-C', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'kaon-run-')), 'alone.ts')
  writeFileSync(
    file,
    'import type { Event } from "@kaon/sdk"\nexport default (event: Event) => ({ path: event.path, body: event.text() })\n',
  )
  const child = spawn(process.execPath, [join(root, 'packages/kaon/bin/kaon.js'), 'run', file, '--port', '0'], { stdio: 'pipe' })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  try {
    const url = await until('the address', () => /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0])
    const answer = await fetch(`${url}/a/b`, { method: 'POST', body: 'hello' })
    assert.deepEqual(await answer.json(), { path: '/a/b', body: 'hello' })
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${output}`, { cause: error })
  } finally {
    child.kill('SIGINT')
    await until('kaon run to end', () => child.exitCode !== null || child.signalCode !== null)
  }
})
