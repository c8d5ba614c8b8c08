import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { createRedactor } from '../base/redact.ts'
import type { LogRecord } from '../model/log-record.ts'
import { type LogSink, LogWriter } from './log-writer.ts'
import { RotatingFile } from './rotating-file.ts'

const { clock, files } = createSystem()

function writer(sink: LogSink, secrets: string[] = []) {
  return new LogWriter({ clock, sink, revision: 'a-00001', replica: 'r', level: 'info', redactor: createRedactor(secrets) })
}

async function folderFor(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'kaon-l-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('a log is put aside when it grows and only so many files are kept', async (t) => {
  const folder = await folderFor(t)
  const file = new RotatingFile(files, { path: join(folder, 'r.jsonl'), limitBytes: 100, keptFiles: 3 })
  for (let i = 0; i < 10; i++) await file.append(`${String(i).repeat(99)}\n`)
  await file.close()
  assert.deepEqual((await readdir(folder)).sort(), ['r.jsonl', 'r.jsonl.1', 'r.jsonl.2'])
  assert.match(await readFile(join(folder, 'r.jsonl'), 'utf8'), /^9/)
  assert.match(await readFile(join(folder, 'r.jsonl.2'), 'utf8'), /^7/)
})

test('lines below the level are left out, the platform’s own never, and secrets are replaced', async (t) => {
  const path = join(await folderFor(t), 'r.jsonl')
  const log = writer(new RotatingFile(files, { path }), ['hunter2-hunter2'])
  const line = (level: LogRecord['level'], msg: string) => ({
    ts: '2026-01-01T00:00:00.000Z',
    level,
    msg,
    fields: { password: 'hunter2-hunter2' },
  })
  log.write([line('debug', 'no'), line('info', 'my hunter2-hunter2')], 3)
  log.setLevel('error')
  log.write([line('warn', 'no')])
  log.platform('warn', 'worker lost')
  await log.close()
  const records = (await readFile(path, 'utf8'))
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as LogRecord)
  assert.deepEqual(
    records.map(({ msg, stream, worker, fields }) => ({ msg, stream, worker, fields })),
    [
      { msg: 'my ***', stream: undefined, worker: 3, fields: { password: '***' } },
      { msg: 'worker lost', stream: 'platform', worker: undefined, fields: undefined },
    ],
  )
})

test('a full disk costs lines, not the process: they are counted, and told when there is room again', async () => {
  let isFull = true
  const written: string[] = []
  const log = writer({
    async append(text) {
      if (isFull) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
      written.push(text)
    },
    async close() {},
  })
  log.write([{ ts: 't', level: 'info', msg: 'first' }])
  log.write([{ ts: 't', level: 'info', msg: 'second' }])
  while (log.dropped === 0) await clock.sleep(1)
  isFull = false
  await log.close()
  assert.equal(log.dropped, 1)
  assert.match(written.join(''), /^\{[^\n]*1 lines of this log were lost[^\n]*\}\n\{[^\n]*second[^\n]*\}\n$/)
})

test('a disk that is too slow never costs more than a bounded queue', async () => {
  const gate = Promise.withResolvers<void>()
  const log = writer({ append: () => gate.promise, async close() {} })
  const msg = 'x'.repeat(10_000)
  for (let i = 0; i < 1_000; i++) log.write([{ ts: 't', level: 'info', msg }])
  assert.ok(log.dropped > 500 && log.dropped < 700, `${log.dropped} of 1000 lines of 10 kB were dropped`)
  gate.resolve()
  await log.close()
})

test('a secret that a cut went through shows no part of itself, in the log or in the last messages', async () => {
  const secret = 'canary-0123456789-abcdefghij'
  const written: string[] = []
  const log = writer({ append: async (text) => void written.push(text), async close() {} }, [secret])
  const line = { ts: 't', level: 'info' } as const
  log.write([
    { ...line, msg: `${'z'.repeat(100)}${secret.slice(0, 14)}`, cut: { end: true, omitted: 14 } },
    { ...line, msg: `${secret.slice(14)} and on`, cut: { start: true } },
    { ...line, msg: `${'y'.repeat(490)}${secret}` },
    { ...line, msg: `${'x'.repeat(8_180)}${secret}${'x'.repeat(300_000)}` },
  ])
  await log.close()
  const all = `${written.join('')}${log.lastMessages().join('')}`
  assert.doesNotMatch(all, /canary|0123|abcdefg|hij/)
  assert.match(all, /z\*\*\*… \(14 more characters\)/)
  assert.match(all, /"\*\*\* and on"/)
})
