import assert from 'node:assert/strict'
import { appendFile, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { FakeClock } from '../base/fake-clock.ts'
import type { System } from '../base/system.ts'
import type { WorkerLogLine } from '../runtimes/worker.ts'
import { OutputCapture } from './output-capture.ts'

const { files } = createSystem()
const mebibyte = 2 ** 20

async function setUp(t: TestContext, capturedFiles: (path: string) => Pick<System['files'], 'open' | 'stat' | 'truncate'> = () => files) {
  const folder = await mkdtemp(join(tmpdir(), 'kaon-o-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'output')
  await writeFile(path, '')
  const lines: WorkerLogLine[] = []
  const capture = new OutputCapture({ clock: new FakeClock(), files: capturedFiles(path), path, onLines: (more) => lines.push(...more) })
  return { path, lines, capture }
}

test('a line that is cut by its length says so, and so does the one that goes on with it', async (t) => {
  const { path, lines, capture } = await setUp(t)
  await appendFile(path, 'z'.repeat(16_390))
  await capture.collect()
  await appendFile(path, 'rest\nnext\n')
  await capture.collect()
  assert.deepEqual(
    lines.map(({ msg, cut }) => [msg.length, cut]),
    [
      [16_390, { start: false, end: true }],
      [4, { start: true, end: false }],
      [4, undefined],
    ],
  )
  await capture.close()
})

test('a flood is thrown away unread and counted', async (t) => {
  const { path, lines, capture } = await setUp(t)
  await appendFile(path, `before\n`)
  await capture.collect()
  await appendFile(path, Buffer.alloc(9 * mebibyte, 'x'))
  await capture.collect()
  assert.equal((await stat(path)).size, 0)
  assert.match(lines.at(-1)?.msg ?? '', /^9437184 bytes of output were dropped/)
  assert.ok(lines.reduce((sum, { msg }) => sum + msg.length, 0) < 1_000)
  await appendFile(path, 'x\nafter\n')
  await capture.close()
  assert.deepEqual(lines.at(-1), { ts: lines.at(-1)?.ts, level: 'info', msg: 'after', stream: 'stderr' })
})

test('while much comes it is looked at again at once', async (t) => {
  let more = 3
  const { path, capture } = await setUp(t, (path) => ({
    ...files,
    async truncate(...args) {
      await files.truncate(...args)
      if (more-- > 0) await appendFile(path, Buffer.alloc(2 * mebibyte, 'x'))
    },
  }))
  await appendFile(path, Buffer.alloc(2 * mebibyte, 'x'))
  await capture.collect()
  assert.equal(more, -1)
  assert.equal((await stat(path)).size, 0)
  await capture.close()
})
