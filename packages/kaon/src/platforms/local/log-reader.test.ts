import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createSystem } from '../../app/system.ts'
import type { LogRecord } from '../../model/log-record.ts'
import type { LogQuery } from '../platform.ts'
import { readLogs } from './log-reader.ts'

const { clock, files } = createSystem()

async function folderFor(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'kaon-l-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

function line(second: number, overrides: Partial<LogRecord> = {}): string {
  const ts = `2026-01-01T00:00:${String(second).padStart(2, '0')}.000Z`
  return `${JSON.stringify({ ts, level: 'info', msg: String(second), revision: 'a-00001', replica: 'r', ...overrides })}\n`
}

function read(folder: string, query: Partial<LogQuery> = {}) {
  const signal = query.signal ?? new AbortController().signal
  return readLogs({ clock, files, folder }, { namespace: 'n', function: 'f', follow: false, signal, ...query })
}

async function messages(records: AsyncIterable<LogRecord>): Promise<string> {
  return (await Array.fromAsync(records)).map(({ msg }) => msg).join(' ')
}

test('the logs of several replicas and their rotated files are one, in the order of time', async (t) => {
  const folder = await folderFor(t)
  await files.writeFile(join(folder, 'a.jsonl.2'), line(1))
  await files.writeFile(join(folder, 'a.jsonl.1'), line(3) + line(4))
  await files.writeFile(join(folder, 'a.jsonl'), line(7))
  await files.writeFile(
    join(folder, 'b.jsonl'),
    `${line(2)}{"cut off by a full di\n${line(5, { level: 'error' })}${line(6, { revision: 'a-00002' })}{"not whole`,
  )
  assert.equal(await messages(read(folder)), '1 2 3 4 5 6 7')
  assert.equal(await messages(read(folder, { tail: 2 })), '6 7')
  assert.equal(await messages(read(folder, { level: 'warn' })), '5')
  assert.equal(await messages(read(folder, { revision: 'a-00002' })), '6')
  assert.equal(await messages(read(folder, { sinceMs: Date.parse('2026-01-01T00:00:06Z') })), '6 7')
})

test('a folder that is not there is an empty log', async () => {
  assert.equal(await messages(read('/nowhere/at/all')), '')
})

test('a log is followed through its rotation and into the files of new replicas, until the reader goes', async (t) => {
  const folder = await folderFor(t)
  const path = join(folder, 'a.jsonl')
  await files.writeFile(path, line(1))
  const stop = new AbortController()
  const followed = read(folder, { follow: true, signal: stop.signal })[Symbol.asyncIterator]()
  const next = async () => (await followed.next()).value?.msg
  assert.equal(await next(), '1')
  await files.appendFile(path, line(2))
  await files.rename(path, `${path}.1`)
  await files.writeFile(path, line(3))
  assert.equal(await next(), '2')
  assert.equal(await next(), '3')
  await files.writeFile(join(folder, 'b.jsonl'), line(4))
  assert.equal(await next(), '4')
  stop.abort()
  assert.equal((await followed.next()).done, true)
})
