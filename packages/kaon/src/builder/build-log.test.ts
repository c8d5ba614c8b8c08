import assert from 'node:assert/strict'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { FakeClock } from '../base/fake-clock.ts'
import { createBuildLogs } from './build-log.ts'

const folder = await mkdtemp(join(tmpdir(), 'kaon-build-log-'))
after(() => rm(folder, { recursive: true, force: true }))
const logs = createBuildLogs({ folder, files: createSystem().files, clock: new FakeClock(0) })
const never = new AbortController().signal
const query = (revision: string, follow = false, signal = never) => ({ namespace: 'default', function: 'hello', revision, follow, signal })
const time = '1970-01-01T00:00:00.000Z'

async function text(pieces: AsyncIterable<string>): Promise<string> {
  let all = ''
  for await (const piece of pieces) all += piece
  return all
}

test('a log is read while it grows and ends when it is closed', async () => {
  const log = logs.open('default', 'hello-00001')
  log.line('first')
  const seen: string[] = []
  const reading = (async () => {
    for await (const piece of logs.read(query('hello-00001', true))) {
      seen.push(piece)
      if (seen.length === 1) log.line('second\nthird')
      if (seen.length === 2) await log.close()
    }
  })()
  await reading
  assert.equal(seen.join(''), `${time} first\n${time} second\n${time} third\n`)
  assert.equal(await text(logs.read(query('hello-00001'))), seen.join(''))
  assert.equal((await stat(join(folder, 'default', 'hello-00001.log'))).mode & 0o777, 0o600)
})

test('a follower that goes away ends, and a log begins anew when it is opened again', async () => {
  const log = logs.open('default', 'hello-00002')
  log.line('old')
  const leave = new AbortController()
  const reading = text(logs.read(query('hello-00002', true, leave.signal)))
  leave.abort()
  await reading
  await log.close()
  await logs.open('default', 'hello-00002').close()
  assert.equal(await text(logs.read(query('hello-00002', true))), '')
})

test('a log is bounded', async () => {
  const log = logs.open('default', 'hello-00003')
  for (let i = 0; i < 600; i++) log.line('x'.repeat(10_000))
  await log.close()
  const { size } = await stat(join(folder, 'default', 'hello-00003.log'))
  assert.ok(size < 4 * 1_048_576 + 200, String(size))
  assert.match((await text(logs.read(query('hello-00003')))).slice(-100), /left out/)
})

test('a missing log, one of another function, and a path are told apart', async () => {
  await assert.rejects(text(logs.read(query('hello-09999'))), { code: 'not_found' })
  await assert.rejects(text(logs.read({ ...query('hello-00001'), function: 'hell' })), { code: 'not_found' })
  await assert.rejects(text(logs.read(query('../../etc/passwd'))), { code: 'invalid_request' })
})

test("removing a function's logs leaves those of others", async () => {
  for (const revision of ['gone-00001', 'gone-00002', 'gone-too-00001']) await logs.open('other', revision).close()
  await logs.remove('other', 'gone')
  const read = (name: string, revision: string) =>
    text(logs.read({ namespace: 'other', function: name, revision, follow: false, signal: never }))
  await assert.rejects(read('gone', 'gone-00001'), { code: 'not_found' })
  assert.equal(await read('gone-too', 'gone-too-00001'), '')
})
