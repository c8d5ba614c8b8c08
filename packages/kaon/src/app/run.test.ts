import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { LogRecord } from '../model/log-record.ts'
import { testBundles } from './platform-rig.ts'
import { type RunOptions, runFunction } from './run.ts'

async function optionsFor(t: TestContext, code: string): Promise<RunOptions & { lines: LogRecord[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'kaon-r-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'files'))
  const manifest = {
    version: 1,
    digest: '',
    runtime: 'node',
    entry: 'h.js',
    format: 'commonjs',
    exportName: 'default',
    handlerFile: 'h.ts',
    filesFolder: 'files',
  }
  await writeFile(join(folder, 'artifact.json'), JSON.stringify(manifest))
  await writeFile(join(folder, 'h.js'), code)
  await writeFile(join(folder, 'files/own.txt'), 'mine')
  const lines: LogRecord[] = []
  return {
    function: 'hello',
    artifactFolder: folder,
    host: '127.0.0.1',
    port: 0,
    cacheFolder: testBundles,
    lines,
    onLog: (line) => void lines.push(line),
  }
}

test('a function runs alone, answers HTTP, logs to its caller, and leaves nothing behind', async (t) => {
  const options = await optionsFor(
    t,
    `exports.default = async (event, context) => { context.logger.info('called ' + context.secrets['a.b']); return { path: event.path, own: require('node:fs').readFileSync('own.txt', 'utf8'), cwd: process.cwd() } }`,
  )
  const running = await runFunction({ ...options, secrets: { 'a.b': 'very-secret' } })
  const answer = (await (await fetch(`http://127.0.0.1:${running.port}/x/y`)).json()) as { path: string; own: string; cwd: string }
  assert.deepEqual([answer.path, answer.own], ['/x/y', 'mine'])
  await running.stop()
  assert.ok(options.lines.some(({ msg, requestId }) => msg === 'called ***' && requestId))
  assert.equal(existsSync(answer.cwd), false)
  await assert.rejects(fetch(`http://127.0.0.1:${running.port}/`))
})

test('a handler that is no function is told by its code, and leaves nothing behind', async (t) => {
  const before = process.cwd()
  await assert.rejects(runFunction(await optionsFor(t, 'exports.default = 1')), { code: 'handler_invalid' })
  assert.equal(process.cwd(), before)
})

test('a port that is in use is told', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await assert.rejects(
    runFunction({ ...(await optionsFor(t, 'exports.default = () => 1')), port }),
    (error: { code: string; message: string }) => {
      assert.match(`${error.code} ${error.message}`, /port_in_use|EADDRINUSE|in use/)
      return true
    },
  )
})
