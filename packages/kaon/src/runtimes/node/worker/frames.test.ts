import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { CancelReason, RefusedReason } from '../../../base/frames/frame.ts'
import { WorkerCounter } from '../../worker.ts'
import { startRig, until } from './testing.ts'

const code = `
let release = () => {}
let gone = 0
exports.default = async (event, context) => {
  switch (event.path) {
    case '/length': return { n: event.body.byteLength }
    case '/echo': return event.body
    case '/hold': await new Promise(resolve => { release = resolve }); return 'held'
    case '/release': release(); return 'released'
    case '/big': return Buffer.alloc(Number(event.query.get('n')), 'x')
    case '/endless': return new ReadableStream({ pull(c) { c.enqueue(Buffer.alloc(10000, 'y')) }, cancel() { gone++ } })
    case '/silent': return new Response(new ReadableStream({ start(c) { c.enqueue(Buffer.from('a')) }, cancel() { gone++ } }), { headers: { 'content-type': 'text/event-stream' } })
    case '/gone': return gone
    case '/signal': return new Promise(resolve => { context.signal.addEventListener('abort', () => { gone++; resolve(0) }) })
    default: return event.path
  }
}`
const rig = startRig(code)
const small = startRig(code, { assignment: { concurrency: 1 } })
after(async () => {
  await rig[Symbol.asyncDispose]()
  await small[Symbol.asyncDispose]()
})

test('many calls on one connection are answered as they finish', async () => {
  const gateway = await rig.gateway()
  const held = gateway.call({ target: '/hold' })
  const others = Array.from({ length: 200 }, (_, i) => gateway.call({ target: `/${i}` }))
  const answers = await Promise.all(others.map((call) => call.done()))
  assert.deepEqual(
    answers.map((answer) => answer.text),
    others.map((_, i) => `/${i}`),
  )
  assert.equal(held.ending, undefined)
  gateway.call({ target: '/release' })
  assert.equal((await held.done()).text, 'held')
  assert.deepEqual(rig.handle.lastStarted()[String(gateway.connection)], 202)
})

test('a body in many frames reaches the handler whole, larger than the window', async () => {
  const gateway = await rig.gateway()
  const call = gateway.open({ method: 'POST', target: '/length' })
  const piece = Buffer.alloc(50_000, 'a')
  let sent = 0
  for (let i = 0; i < 20; i++) {
    await until(
      () => sent + piece.length <= gateway.windowBytes + call.credit,
      () => 'room',
    )
    gateway.send(call, piece, i === 19)
    sent += piece.length
  }
  assert.equal((await call.done()).text, '{"n":1000000}')
  assert.equal((await gateway.call({ method: 'POST', target: '/echo' }, 'grüße').done()).text, 'grüße')
})

test('a body past 32 MiB is answered 413 before the rest of it comes', async () => {
  const gateway = await rig.gateway()
  const call = gateway.open({ method: 'POST', target: '/length' })
  const piece = Buffer.alloc(64_000)
  for (let sent = 0; call.ending === undefined; sent += piece.length) {
    await until(
      () => call.ending !== undefined || sent + piece.length <= gateway.windowBytes + call.credit,
      () => 'room',
    )
    if (call.ending === undefined) gateway.send(call, piece, false)
  }
  const answer = await call.done()
  assert.deepEqual([answer.status, JSON.parse(answer.text).code], [413, 'body_too_large'])
  await until(
    () => rig.handle.counters[WorkerCounter.inFlight] === 0,
    () => 'no call in flight',
  )
})

test('an answer keeps to the window of whoever reads it', async () => {
  const gateway = await rig.gateway(20_000)
  gateway.givesCredit = false
  const call = gateway.call({ target: '/big?n=100000' })
  await until(
    () => call.bytes === 20_000,
    () => 'a window full',
  )
  gateway.writer.credit(call.stream, 30_000)
  gateway.flush()
  await until(
    () => call.bytes === 50_000,
    () => 'more',
  )
  gateway.givesCredit = true
  gateway.writer.credit(call.stream, 1_000)
  gateway.flush()
  assert.equal((await call.done()).body.length, 100_000)
})

test('a stream without end is produced no faster than it is read, and stops when its reader goes', async () => {
  const gateway = await rig.gateway(100_000)
  gateway.givesCredit = false
  const call = gateway.call({ target: '/endless' })
  await until(
    () => call.bytes === 100_000,
    () => 'a window full',
  )
  gateway.cancel(call, CancelReason.clientGone)
  assert.equal((await call.done()).ending, 'cancel')
  await until(
    () => rig.handle.counters[WorkerCounter.inFlight] === 0,
    () => 'no call in flight',
  )
})

test('a stream that waits is told at once that nobody reads on', async () => {
  const gateway = await rig.gateway()
  const before = Number((await gateway.call({ target: '/gone' }).done()).text)
  const call = gateway.call({ target: '/silent' })
  await until(
    () => call.bytes === 1,
    () => 'the first byte',
  )
  gateway.cancel(call, CancelReason.clientGone)
  await call.done()
  assert.equal((await gateway.call({ target: '/gone' }).done()).text, String(before + 1))
})

test('the end of a connection aborts its calls and frees its place', async () => {
  const gateway = await rig.gateway()
  const other = await rig.gateway()
  const before = Number((await other.call({ target: '/gone' }).done()).text)
  gateway.call({ target: '/signal' })
  await until(
    () => rig.handle.counters[WorkerCounter.inFlight] === 1,
    () => 'the call',
  )
  gateway.socket.destroy()
  await until(
    () => rig.handle.counters[WorkerCounter.inFlight] === 0,
    () => 'its end',
  )
  assert.equal((await other.call({ target: '/gone' }).done()).text, String(before + 1))
  assert.equal(rig.handle.lastStarted()[String(gateway.connection)], undefined)
})

test('a cancelled call keeps its slot until its handler settles; then the worker says so', async () => {
  const gateway = await small.gateway()
  const held = gateway.call({ target: '/hold' })
  await until(
    () => small.handle.counters[WorkerCounter.started] === 1,
    () => 'the start',
  )
  gateway.cancel(held, CancelReason.deadline)
  await until(
    () => small.handle.counters[WorkerCounter.abandoned] === 1,
    () => 'the call to be given up',
  )
  const refused = await gateway.call({ target: '/a' }).done()
  assert.deepEqual([refused.ending, refused.reason], ['refused', RefusedReason.full])
  assert.equal(held.ending, undefined)
  await small.handle.terminate('stopped', 'Enough.')
  assert.equal((await held.done()).ending, 'closed')
})

test('a call that is cancelled before its handler started is over at once', async () => {
  const gateway = await rig.gateway()
  const call = gateway.open({ method: 'POST', target: '/length' })
  gateway.send(call, Buffer.from('half of it'), false)
  gateway.cancel(call, CancelReason.clientGone)
  assert.equal((await call.done()).ending, 'cancel')
})

test('malformed frames end their connection and no other', async () => {
  const good = await rig.gateway()
  for (const bytes of [
    Buffer.alloc(64, 255),
    Buffer.from([0, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 1]),
    Buffer.from([0, 0, 0, 1, 2, 1, 0, 0, 0, 0, 0, 5, 7]),
  ]) {
    const bad = await rig.gateway()
    bad.socket.write(bytes)
    await until(
      () => bad.isClosed,
      () => 'the end of the bad connection',
    )
  }
  assert.equal((await good.call({ target: '/still' }).done()).text, '/still')
  const repeated = await rig.gateway()
  repeated.call({ target: '/1' })
  repeated.writer.request(1, { method: 'GET', target: '/2', requestId: 'x', deadlineMs: 0, headers: [] }, true)
  repeated.flush()
  await until(
    () => repeated.isClosed,
    () => 'the end of a connection that uses a stream twice',
  )
})

test('a ping is answered', async () => {
  const gateway = await rig.gateway()
  gateway.writer.bare(10)
  gateway.flush()
  await until(
    () => gateway.pongs === 1,
    () => 'a pong',
  )
})
