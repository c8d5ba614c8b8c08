import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { CancelReason } from '../base/frames/frame.ts'
import type { FakeCall } from './fake-worker.ts'
import { GatewayRig } from './gateway-rig.ts'
import { request } from './test-client.ts'

const system = createSystem()

/** A function that takes one call at a time and is late with `/never`; all its calls as they come to it. */
async function start() {
  const rig = await new GatewayRig(system, mkdtempSync(join(tmpdir(), 'kg-'))).start({ graceMs: 100 })
  const replica = await rig.replica('a', (call) => {
    if (call.head.target !== '/never') call.reply(200, [], 'ran')
  })
  await rig.serve('hello', { replicas: [replica], concurrency: 1, timeoutMs: 200 })
  return { rig, replica }
}

function settle({ connection, stream }: FakeCall): void {
  connection.writer.cancel(stream, CancelReason.failed)
  connection.flush()
}

/** A call that is late: it was answered, and its worker was told. */
async function leaveOne({ rig, replica }: Awaited<ReturnType<typeof start>>): Promise<FakeCall> {
  const late = await request(system.network, { port: rig.port, path: '/never' })
  assert.equal(late.status, 504)
  const call = replica.calls.at(-1) as FakeCall
  await rig.until('the worker to be told', () => call.cancelled === CancelReason.deadline)
  return call
}

test('a call that was given up keeps its place until its handler has settled', async () => {
  const started = await start()
  const { rig, replica } = started
  await using _ = rig
  const abandoned = await leaveOne(started)
  const refused = await request(system.network, { port: rig.port })
  assert.deepEqual([refused.status, JSON.parse(refused.text).code], [503, 'overloaded'])
  assert.equal(replica.calls.length, 1)
  const next = request(system.network, { port: rig.port })
  settle(abandoned)
  assert.equal((await next).text, 'ran')
})

test('so does one whose client went away, and an answer that crosses the news is the end of it too', async () => {
  const { rig, replica } = await start()
  await using _ = rig
  const socket = system.network.connect(rig.port, '127.0.0.1', () =>
    socket.write('GET /never HTTP/1.1\r\nhost: hello.default.localhost\r\n\r\n'),
  )
  await rig.until('the call', () => replica.calls.length === 1)
  socket.destroy()
  const [call] = replica.calls
  await rig.until('the worker to be told', () => call?.cancelled === CancelReason.clientGone)
  assert.equal((await request(system.network, { port: rig.port })).status, 503)
  const next = request(system.network, { port: rig.port })
  call?.reply(200, [], 'for nobody')
  assert.equal((await next).text, 'ran')
})

test('a worker that is gone keeps no places', async () => {
  const started = await start()
  const { rig, replica } = started
  await using _ = rig
  await leaveOne(started)
  const next = request(system.network, { port: rig.port })
  await replica.killWorker(1)
  assert.equal((await next).text, 'ran')
})
