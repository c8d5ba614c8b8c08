import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { CancelReason, RefusedReason } from '../base/frames/frame.ts'
import type { FakeCall } from './fake-worker.ts'
import { GatewayRig } from './gateway-rig.ts'
import { type Asked, request } from './test-client.ts'

const system = createSystem()

async function start(limits = {}): Promise<GatewayRig> {
  return new GatewayRig(system, mkdtempSync(join(tmpdir(), 'kg-'))).start({ limits, graceMs: 100 })
}

function ask(rig: GatewayRig, asked: Partial<Asked> = {}) {
  return request(system.network, { port: rig.port, ...asked })
}

/** Answers with what it got, once it has all of it. */
function echo(call: FakeCall): void {
  const answer = () => call.reply(200, ['content-type', 'text/plain'], Buffer.concat(call.body))
  if (call.isEnded) answer()
  else
    call.onChange = () => {
      if (call.isEnded) answer()
    }
}

test('a call goes to the worker and comes back, with ids and without what ends at a hop', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', (call) =>
    call.reply(201, ['x-own', '1', 'set-cookie', 'a=1', 'set-cookie', 'b=2', 'connection', 'close'], 'hi'),
  )
  await rig.serve('hello', { replicas: [replica] })
  // The first call may wait for the connection to the worker.
  await ask(rig)
  const headers = { 'x-request-id': 'mine', 'X-Forwarded-For': '9.9.9.9', 'kaon-timing': '1', te: 'trailers' }
  const answer = await ask(rig, { path: '/a%20b?c=/../d', headers })
  assert.deepEqual([answer.status, answer.text, answer.headers['x-own'], answer.headers['set-cookie']], [201, 'hi', '1', 'a=1 | b=2'])
  assert.equal(answer.headers['x-request-id'], 'mine')
  assert.equal(answer.headers['kaon-function'], 'default/hello')
  assert.equal(answer.headers['kaon-revision'], 'hello-00001')
  assert.match(answer.headers['server-timing'] ?? '', /^queue;dur=[\d.]+, handler;dur=[\d.]+$/)
  const [, call] = replica.calls
  assert.ok(call !== undefined)
  assert.equal(call.head.target, '/a%20b?c=/../d')
  assert.equal(call.head.requestId, 'mine')
  assert.ok(call.head.deadlineMs > 9_000 && call.head.deadlineMs <= 10_000)
  const got = Object.fromEntries(
    Array.from({ length: call.head.headers.length / 2 }, (_, i) => [call.head.headers[2 * i], call.head.headers[2 * i + 1]]),
  )
  assert.equal(got['x-forwarded-for'], '127.0.0.1')
  assert.equal(got['x-forwarded-host'], 'hello.default.localhost')
  assert.match(got['traceparent'] ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  assert.equal(got['te'], undefined)
})

test('a small body goes with its head, and any body arrives as it was sent', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', echo)
  await rig.serve('hello', { replicas: [replica] })
  assert.equal((await ask(rig, { method: 'POST', body: 'small' })).text, 'small')
  assert.equal((await ask(rig, { method: 'POST', headers: { 'content-length': '0' } })).text, '')
  assert.equal((await ask(rig, { method: 'POST', headers: { 'transfer-encoding': 'chunked' }, body: '' })).text, '')
  const large = Buffer.alloc(3_000_000, 'abcdefg')
  assert.equal((await ask(rig, { method: 'POST', body: large })).text, large.toString())
  assert.equal((await ask(rig, { method: 'POST', body: large, headers: { 'transfer-encoding': 'chunked' } })).text, large.toString())
  assert.equal(
    (await ask(rig, { method: 'POST', body: 'waited', headers: { expect: '100-continue', 'content-length': '6' } })).text,
    'waited',
  )
})

test('HEAD, 204 and 304 have no body whatever the worker sends', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', (call) => {
    if (call.head.method === 'HEAD') call.reply(200, ['content-length', '5'], undefined)
    else call.reply(Number(call.head.target.slice(1)), [], 'no body')
  })
  await rig.serve('hello', { replicas: [replica] })
  const head = await ask(rig, { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers['content-length'], head.text], [200, '5', ''])
  for (const status of [204, 304]) {
    const answer = await ask(rig, { path: `/${status}` })
    assert.deepEqual([answer.status, answer.text, answer.headers['transfer-encoding']], [status, '', undefined])
  }
})

test('trailers go both ways', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', (call) => {
    call.onChange = () => {
      if (!call.isEnded) return
      const { writer } = call.connection
      writer.response(call.stream, { status: 200, headers: [] }, false)
      writer.data(call.stream, Buffer.from('x'), false)
      writer.trailers(call.stream, ['grpc-status', call.trailers.join('=')])
      call.connection.flush()
    }
  })
  await rig.serve('hello', { replicas: [replica] })
  const answer = await new Promise<string>((resolve) => {
    const socket = system.network.connect(rig.port, '127.0.0.1', () => {
      socket.write(
        'POST / HTTP/1.1\r\nhost: hello.default.localhost\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n',
      )
    })
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('close', () => resolve(text))
  })
  assert.match(answer, /grpc-status: x-sum=7/)
})

test('an answer streams to its client as it comes', async () => {
  await using rig = await start()
  let call: FakeCall | undefined
  const replica = await rig.replica('a', (it) => {
    call = it
    it.connection.writer.response(it.stream, { status: 200, headers: ['content-type', 'text/event-stream'] }, false)
    it.connection.flush()
  })
  await rig.serve('hello', { replicas: [replica], timeoutMs: 60 })
  const seen: string[] = []
  const ended = new Promise<void>((resolve, reject) => {
    const outgoing = system.network.httpRequest({
      host: '127.0.0.1',
      port: rig.port,
      headers: { host: 'hello.default.localhost' },
      agent: false,
    })
    outgoing.on('response', (incoming) => {
      seen.push('head')
      incoming.setEncoding('utf8').on('data', (text: string) => seen.push(text))
      incoming.on('end', resolve).on('error', reject)
    })
    outgoing.end()
  })
  await rig.until('the head', () => seen.length === 1)
  // Long past the deadline: it holds until the first byte of the answer, and leaves streams alone.
  await system.clock.sleep(150)
  for (const text of ['one', 'two']) {
    call?.connection.writer.data(call.stream, Buffer.from(text), false)
    call?.connection.flush()
    await rig.until(text, () => seen.at(-1) === text)
  }
  call?.connection.writer.data(call.stream, Buffer.alloc(0), true)
  call?.connection.flush()
  await ended
  assert.deepEqual(seen, ['head', 'one', 'two'])
})

test('a client that does not read holds the worker back', async () => {
  await using rig = await start()
  let sent = 0
  let call: FakeCall | undefined
  const pump = () => {
    if (call === undefined) return
    while (call.credit >= 65_536 && sent < 40_000_000) {
      call.connection.writer.data(call.stream, Buffer.alloc(65_536), false)
      call.credit -= 65_536
      sent += 65_536
    }
    if (sent >= 40_000_000 && call.credit >= 0 && !call.isEnded) call.connection.writer.data(call.stream, Buffer.alloc(0), true)
    call.connection.flush()
  }
  const replica = await rig.replica('a', (it) => {
    call = it
    it.connection.writer.response(it.stream, { status: 200, headers: [] }, false)
    it.isEnded = false
    it.onChange = pump
    pump()
  })
  await rig.serve('hello', { replicas: [replica] })
  const socket = system.network.connect(rig.port, '127.0.0.1', () =>
    socket.write('GET / HTTP/1.1\r\nhost: hello.default.localhost\r\n\r\n'),
  )
  socket.pause()
  await rig.until('the stream to stall', async () => {
    const before = sent
    await system.clock.sleep(100)
    return sent > 0 && sent === before
  })
  // Kernel buffers, one window here and one in the worker: a few megabytes, not forty.
  assert.ok(sent < 20_000_000, `${sent} bytes were taken from the worker`)
  socket.resume()
  await rig.until('the rest', () => sent >= 40_000_000)
  socket.destroy()
})

test('a worker that does not read holds the client back', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', () => undefined, { consumes: false })
  await rig.serve('hello', { replicas: [replica] })
  let sent = 0
  const socket = system.network.connect(rig.port, '127.0.0.1', () => {
    socket.write('POST / HTTP/1.1\r\nhost: hello.default.localhost\r\ncontent-length: 50000000\r\n\r\n')
    const more = () => {
      while (sent < 50_000_000) {
        sent += 65_536
        if (!socket.write(Buffer.alloc(65_536))) {
          socket.once('drain', more)
          return
        }
      }
    }
    more()
  })
  socket.on('error', () => undefined)
  await rig.until('the upload to stall', async () => {
    const before = sent
    await system.clock.sleep(100)
    return sent > 0 && sent === before
  })
  assert.ok(sent < 20_000_000, `${sent} bytes were taken from the client`)
  assert.equal(replica.calls[0]?.bodyBytes, 262_144)
  socket.destroy()
})

test('a call that is not answered in time is a 504, and its worker is told', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', () => undefined)
  await rig.serve('hello', { replicas: [replica], timeoutMs: 80 })
  const answer = await ask(rig, { method: 'POST', body: 'x' })
  assert.equal(answer.status, 504)
  assert.equal(answer.headers['content-type'], 'application/problem+json')
  assert.equal(JSON.parse(answer.text).code, 'handler_timeout')
  await rig.until('the cancel', () => replica.calls[0]?.cancelled === CancelReason.deadline)
})

/** When the clock shows `at`, and not a moment before, as a timer on a busy machine may. */
async function passed(at: number): Promise<void> {
  while (system.clock.monotonic() < at) await system.clock.sleep(1)
}

test('an answer that a handler gives because its deadline came is late, whoever noticed first', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', (call) => {
    if (call.head.deadlineMs < 1_000)
      void passed(system.clock.monotonic() + call.head.deadlineMs).then(() => call.reply(204, [], undefined))
    else call.reply(200, [], '')
  })
  await rig.serve('hello', { replicas: [replica] })
  await ask(rig)
  await rig.serve('hello', { replicas: [replica], timeoutMs: 100 })
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(rig)))
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [504])
})

test("a function that calls has no more time than its own caller has left, and a stranger's headers say nothing", async () => {
  await using rig = await start()
  const replica = await rig.replica('a', (call) => {
    if (call.head.target !== '/never') call.reply(200, [], JSON.stringify(call.head))
  })
  await rig.serve('hello', { replicas: [replica] })
  await ask(rig)
  const headers = { 'kaon-depth': '3', 'kaon-timeout-ms': '60' }
  const trusted = { socketPath: rig.socket, host: 'localhost', headers }
  const head = (text: string) => JSON.parse(text) as { deadlineMs: number; headers: string[] }
  const own = head((await ask(rig, { ...trusted, path: '/fn/default/hello/' })).text)
  assert.ok(own.deadlineMs > 0 && own.deadlineMs <= 60)
  assert.equal(own.headers[own.headers.indexOf('kaon-depth') + 1], '3')
  assert.ok(!own.headers.includes('kaon-timeout-ms'))
  const late = await ask(rig, { ...trusted, path: '/fn/default/hello/never' })
  assert.deepEqual([late.status, JSON.parse(late.text).code], [504, 'handler_timeout'])
  const longer = { ...headers, 'kaon-timeout-ms': '99999999' }
  const asOwn = head((await ask(rig, { ...trusted, headers: longer, path: '/fn/default/hello/' })).text)
  assert.ok(asOwn.deadlineMs > 9_000 && asOwn.deadlineMs <= 10_000)
  const stranger = head((await ask(rig, { headers: { 'kaon-depth': '17', 'kaon-timeout-ms': '60' } })).text)
  assert.ok(stranger.deadlineMs > 9_000)
  assert.ok(!stranger.headers.some((text) => text.startsWith('kaon-')))
  const circle = await ask(rig, { ...trusted, headers: { 'kaon-depth': '17' }, path: '/fn/default/hello/' })
  assert.deepEqual([circle.status, JSON.parse(circle.text).code], [508, 'loop_detected'])
})

test('a client that goes away cancels its call', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', () => undefined)
  await rig.serve('hello', { replicas: [replica] })
  const socket = system.network.connect(rig.port, '127.0.0.1', () =>
    socket.write('GET / HTTP/1.1\r\nhost: hello.default.localhost\r\n\r\n'),
  )
  await rig.until('the call', () => replica.calls.length === 1)
  socket.destroy()
  await rig.until('the cancel', () => replica.calls[0]?.cancelled === CancelReason.clientGone)
})

test('a refused call goes elsewhere with its body, large as it is', async () => {
  await using rig = await start()
  const refuses = await rig.replica('a', (call) => {
    call.connection.writer.refused(call.stream, RefusedReason.draining)
    call.connection.flush()
  })
  const answers = await rig.replica('b', echo)
  await rig.serve('hello', { replicas: [refuses, answers] })
  const body = 'z'.repeat(600_000)
  for (let i = 0; i < 6; i++) assert.equal((await ask(rig, { method: 'POST', body })).text, body)
  assert.equal(refuses.calls.length <= 1, true)
})

test('a worker that is full is tried again when it has room', async () => {
  await using rig = await start()
  let refused = 0
  const replica = await rig.replica('a', (call) => {
    if (refused++ < 3) {
      call.connection.writer.refused(call.stream, RefusedReason.full)
      call.connection.flush()
    } else echo(call)
  })
  await rig.serve('hello', { replicas: [replica] })
  assert.equal((await ask(rig, { method: 'POST', body: 'patient' })).text, 'patient')
  assert.equal(replica.calls.length, 4)
})

test('of the calls in a worker that dies those that were started fail and the others go on', async () => {
  await using rig = await start()
  let isBroken = true
  const replica = await rig.replica(
    'a',
    (call) => {
      if (!isBroken) echo(call)
    },
    { consumes: false },
  )
  await rig.serve('hello', { replicas: [replica] })
  const calls = [1, 2, 3, 4].map((n) => ask(rig, { method: 'POST', body: `call ${n}` }))
  await rig.until('all calls to be there', () => replica.calls.length === 4 && replica.calls.every(({ isEnded }) => isEnded))
  isBroken = false
  await replica.killWorker(2)
  const answers = await Promise.all(calls)
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 502, 502])
  assert.equal(JSON.parse(answers.find(({ status }) => status === 502)?.text ?? '').code, 'worker_lost')
})

test('of the calls in a process that dies those it did not say STARTED of go on', async () => {
  await using rig = await start()
  let isBroken = true
  const replica = await rig.replica(
    'a',
    (call) => {
      if (!isBroken) {
        echo(call)
        return
      }
      if (call.stream !== 1) return
      call.connection.writer.started(call.stream)
      call.connection.flush()
    },
    { consumes: false },
  )
  await rig.serve('hello', { replicas: [replica] })
  const first = ask(rig, { method: 'POST', body: 'first' })
  await rig.until('the first call', () => replica.calls.length === 1)
  const second = ask(rig, { method: 'POST', body: 'second' })
  await rig.until('the second call', () => replica.calls.length === 2)
  isBroken = false
  await replica.killWorker(0, { tells: false })
  assert.equal((await first).status, 502)
  assert.deepEqual([(await second).status, (await second).text], [200, 'second'])
})

test('calls in a replica that is killed as a whole fail, and nothing hangs', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', () => undefined)
  await rig.serve('hello', { replicas: [replica], timeoutMs: 5_000 })
  const call = ask(rig)
  await rig.until('the call', () => replica.calls.length === 1)
  replica.kill()
  assert.equal((await call).status, 502)
})

test('an answer that breaks in the middle breaks at the client too', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', (call) => {
    call.connection.writer.response(call.stream, { status: 200, headers: [] }, false)
    call.connection.writer.data(call.stream, Buffer.from('half'), false)
    call.connection.flush()
  })
  await rig.serve('hello', { replicas: [replica] })
  const call = ask(rig)
  const failed = assert.rejects(call, /aborted|ECONNRESET|hang up/)
  await rig.until('the call', () => replica.calls.length === 1)
  await system.clock.sleep(30)
  replica.kill()
  await failed
})

test('an answer that cannot be sent is a 502 that says why', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', (call) => {
    const wrong: Record<string, [number, string[], string]> = {
      '/status': [99, [], ''],
      '/name': [200, ['bad name', 'x'], ''],
      '/value': [200, ['x', 'a\r\nb: c'], ''],
      '/long': [200, ['content-length', '2'], 'abc'],
      '/short': [200, ['content-length', '9'], 'abc'],
      '/length': [200, ['content-length', '-1'], 'abc'],
    }
    const [status, headers, body] = wrong[call.head.target] ?? [200, [], 'fine']
    call.reply(status, headers, body)
  })
  await rig.serve('hello', { replicas: [replica] })
  for (const path of ['/status', '/name', '/value', '/long', '/short', '/length']) {
    const answer = await ask(rig, { path })
    assert.deepEqual([path, answer.status, JSON.parse(answer.text).code], [path, 502, 'response_invalid'])
  }
  assert.equal((await ask(rig)).text, 'fine')
})

test('a body that is too large is refused, before it is read when it says so', async () => {
  await using rig = await start({ maxBodyBytes: 100_000 })
  const replica = await rig.replica('a', echo)
  await rig.serve('hello', { replicas: [replica] })
  const declared = await ask(rig, { method: 'POST', body: 'x'.repeat(100_001) })
  assert.deepEqual([declared.status, JSON.parse(declared.text).code], [413, 'body_too_large'])
  assert.equal(replica.calls.length, 0)
  const chunked = await ask(rig, { method: 'POST', body: 'x'.repeat(100_001), headers: { 'transfer-encoding': 'chunked' } })
  assert.equal(chunked.status, 413)
  await rig.until('the cancel', () => replica.calls[0]?.cancelled === CancelReason.tooLarge)
  assert.equal((await ask(rig, { method: 'POST', body: 'x'.repeat(100_000) })).status, 200)
})

test('a body that stops coming is given up', async () => {
  await using rig = await start({ bodyIdleMs: 100 })
  const replica = await rig.replica('a', () => undefined)
  await rig.serve('hello', { replicas: [replica] })
  const text = await new Promise<string>((resolve) => {
    const socket = system.network.connect(rig.port, '127.0.0.1', () =>
      socket.write('POST / HTTP/1.1\r\nhost: hello.default.localhost\r\ncontent-length: 100000\r\n\r\nabc'),
    )
    let got = ''
    socket.on('data', (chunk) => {
      got += chunk
    })
    socket.on('error', () => undefined).on('close', () => resolve(got))
  })
  assert.match(text, /^HTTP\/1\.1 408 [\s\S]*request_timeout/)
})
