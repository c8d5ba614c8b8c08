import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createSystem } from '../app/system.ts'
import type { FakeReplica } from './fake-worker.ts'
import { GatewayRig } from './gateway-rig.ts'
import { exchangeBytes, request } from './test-client.ts'

const system = createSystem()
let rig: GatewayRig
let replica: FakeReplica

before(async () => {
  rig = await new GatewayRig(system, mkdtempSync(join(tmpdir(), 'kg-'))).start({ graceMs: 100, limits: { headTimeoutMs: 300 } })
  replica = await rig.replica('a', (call) => {
    const answer = () => call.isEnded && call.reply(200, [], `got ${call.head.method} ${call.head.target} ${Buffer.concat(call.body)}`)
    call.onChange = answer
    answer()
  })
  await rig.serve('hello', { replicas: [replica] })
})
after(() => rig[Symbol.asyncDispose]())

const host = 'host: hello.default.localhost\r\n'

function send(bytes: string | Buffer): Promise<string> {
  return exchangeBytes(system.network, rig.port, bytes)
}

/** The statuses of all answers on a connection. */
function statuses(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))
}

const malformed: [string, string][] = [
  [
    'Content-Length and Transfer-Encoding',
    `POST / HTTP/1.1\r\n${host}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n${host}\r\n`,
  ],
  ['two different Content-Lengths', `POST / HTTP/1.1\r\n${host}content-length: 4\r\ncontent-length: 5\r\n\r\nabcde`],
  ['two equal Content-Lengths', `POST / HTTP/1.1\r\n${host}content-length: 4\r\ncontent-length: 4\r\n\r\nabcd`],
  ['a list of Content-Lengths', `POST / HTTP/1.1\r\n${host}content-length: 4, 4\r\n\r\nabcd`],
  ['a signed Content-Length', `POST / HTTP/1.1\r\n${host}content-length: +4\r\n\r\nabcd`],
  ['chunked twice', `POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['an unknown coding', `POST / HTTP/1.1\r\n${host}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['a hidden coding', `POST / HTTP/1.1\r\n${host}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`],
  ['chunked in HTTP/1.0', `POST / HTTP/1.0\r\n${host}transfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['lines that end in LF alone', 'GET / HTTP/1.1\nhost: hello.default.localhost\n\n'],
  ['a header that ends in LF alone', `GET / HTTP/1.1\r\nhost: hello.default.localhost\nx: y\r\n\r\n`],
  ['a folded header', `GET / HTTP/1.1\r\n${host}x: a\r\n b\r\n\r\n`],
  ['a space before the colon', `POST / HTTP/1.1\r\n${host}content-length : 4\r\n\r\nabcd`],
  ['a bare CR in a value', `GET / HTTP/1.1\r\n${host}x: a\rb\r\n\r\n`],
  ['NUL in a value', `GET / HTTP/1.1\r\n${host}x: a\0b\r\n\r\n`],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
  ['two Hosts', `GET / HTTP/1.1\r\n${host}${host}\r\n`],
  ['a Host that is none', 'GET / HTTP/1.1\r\nhost: a@b\r\n\r\n'],
  ['another authority', `GET http://other.example/ HTTP/1.1\r\n${host}\r\n`],
  ['dot segments', `GET /a/../b HTTP/1.1\r\n${host}\r\n`],
  ['an encoded slash', `GET /a%2fb HTTP/1.1\r\n${host}\r\n`],
  ['an asterisk', `OPTIONS * HTTP/1.1\r\n${host}\r\n`],
  ['an unknown version', `GET / HTTP/3.7\r\n${host}\r\n`],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
]

for (const [what, bytes] of malformed) {
  test(`${what} is refused, and nothing of it reaches a function`, async () => {
    const before = replica.calls.length
    const text = await exchangeBytes(system.network, rig.port, Buffer.from(bytes, 'latin1'), (socket) => {
      // An answer that keeps the connection open is enough.
      socket.on('data', () => setTimeout(() => socket.end(), 10))
    })
    assert.deepEqual(statuses(text), [400], text)
    assert.match(text, /application\/problem\+json[\s\S]*"code":"invalid_request"/)
    assert.doesNotMatch(text, /\.ts:|node:|\n +at /)
    assert.equal(replica.calls.length, before)
  })
}

test('a broken chunk ends the call and the connection', async () => {
  const text = await send(
    `POST / HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n5\r\nabc\r\nX\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n${host}\r\n`,
  )
  assert.ok(
    statuses(text).every((status) => status === 400),
    text,
  )
  assert.ok(!replica.calls.some(({ head }) => head.target === '/smuggled'))
})

test('a head that is too large is refused, endless or not', async () => {
  assert.deepEqual(statuses(await send(`GET / HTTP/1.1\r\n${host}x: ${'y'.repeat(20_000)}\r\n\r\n`)), [431])
  const many = Array.from({ length: 120 }, (_, i) => `x-${i}: 1\r\n`).join('')
  const refused = await send(`GET / HTTP/1.1\r\n${host}connection: close\r\n${many}\r\n`)
  assert.deepEqual(statuses(refused), [431])
  assert.match(refused, /headers_too_large/)
  assert.deepEqual(statuses(await send(`GET / HTTP/1.1\r\n${host}connection: close\r\n${'n'.repeat(300)}: 1\r\n\r\n`)), [431])
  let n = 0
  const endless = await exchangeBytes(system.network, rig.port, `GET / HTTP/1.1\r\n${host}`, (socket) => {
    const more = () => {
      while (!socket.destroyed && n < 50_000) {
        if (socket.write(`x-${n++}: ${'y'.repeat(100)}\r\n`)) continue
        socket.once('drain', more)
        return
      }
    }
    more()
  })
  assert.deepEqual(statuses(endless), [431])
})

test('a head that does not come in time is refused', async () => {
  const text = await send(`GET / HTTP/1.1\r\n${host}`)
  assert.deepEqual(statuses(text), [408])
})

test('a body of 1 GiB is refused before it is read', async () => {
  const text = await send(`POST / HTTP/1.1\r\n${host}content-length: 1073741824\r\n\r\n${'x'.repeat(5_000)}`)
  assert.deepEqual(statuses(text), [413])
  assert.match(text, /body_too_large/)
  const expecting = await send(`POST / HTTP/1.1\r\n${host}content-length: 1073741824\r\nexpect: 100-continue\r\n\r\n`)
  assert.deepEqual(statuses(expecting), [413])
})

test('what comes after a request that was refused unread is not read as another one', async () => {
  const before = replica.calls.length
  const text = await send(`POST / HTTP/1.1\r\n${host}content-length: 1073741824\r\n\r\nGET /smuggled HTTP/1.1\r\n${host}\r\n`)
  assert.deepEqual(statuses(text), [413])
  assert.equal(replica.calls.length, before)
})

test('requests in a pipeline are answered in order', async () => {
  const text = await send(
    `GET /1 HTTP/1.1\r\n${host}\r\nPOST /2 HTTP/1.1\r\n${host}content-length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\n${host}connection: close\r\n\r\n`,
  )
  assert.deepEqual(
    [...text.matchAll(/got (.*?)(?=HTTP|$)/g)].map(([, got]) => got),
    ['GET /1 ', 'POST /2 abc', 'GET /3 '],
  )
})

test('a refused call leaves its connection to the next one', async () => {
  const text = await send(
    `POST /fn/x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabcGET /ok HTTP/1.1\r\n${host}connection: close\r\n\r\n`,
  )
  assert.deepEqual(statuses(text), [404, 200])
})

test('HTTP/1.0 is answered and its connection closed', async () => {
  const text = await send(`GET /old HTTP/1.0\r\n${host}\r\n`)
  assert.match(text, /^HTTP\/1\.1 200 [\s\S]*connection: close[\s\S]*got GET \/old/i)
})

test('CONNECT and unknown methods are refused, upgrades are left out', async () => {
  assert.deepEqual(statuses(await send(`CONNECT a:1 HTTP/1.1\r\n${host}\r\n`)), [405])
  assert.deepEqual(statuses(await send(`FROBNICATE / HTTP/1.1\r\n${host}\r\n`)), [400])
  const upgrade = await request(system.network, { port: rig.port, path: '/up', headers: { connection: 'upgrade', upgrade: 'websocket' } })
  assert.equal(upgrade.text, 'got GET /up ')
})

test('a CONNECT whose sender resets the connection, at once or after the refusal, harms nobody', async () => {
  for (const delayMs of [0, 30]) {
    await exchangeBytes(system.network, rig.port, `CONNECT a:80 HTTP/1.1\r\n${host}\r\n`, (socket) =>
      setTimeout(() => socket.resetAndDestroy(), delayMs),
    )
  }
  assert.deepEqual(statuses(await send(`GET /still-here HTTP/1.1\r\n${host}connection: close\r\n\r\n`)), [200])
})

test('a CONNECT after a request that was refused with its body unread is let go with that refusal', async () => {
  const refused = 'POST /fn/x HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n'
  const rest = `0\r\n\r\nCONNECT a:80 HTTP/1.1\r\n${host}\r\n`
  const tooLarge = `POST / HTTP/1.1\r\n${host}content-length: 104857601\r\nexpect: 100-continue\r\n\r\n`
  assert.deepEqual(statuses(await send(refused + rest)), [404])
  const split = await exchangeBytes(system.network, rig.port, refused, (socket) => socket.once('data', () => socket.write(rest)))
  assert.deepEqual(statuses(split), [404])
  assert.deepEqual(statuses(await send(tooLarge + rest)), [413])
})

test('a CONNECT behind an unanswered request does not answer it', async () => {
  const behind = await send(`GET /slow HTTP/1.1\r\n${host}\r\nCONNECT a:80 HTTP/1.1\r\n${host}\r\n`)
  assert.deepEqual(statuses(behind), [])
  const after = await exchangeBytes(system.network, rig.port, `GET /first HTTP/1.1\r\n${host}\r\n`, (socket) =>
    socket.once('data', () => socket.write(`CONNECT a:80 HTTP/1.1\r\n${host}\r\n`)),
  )
  assert.deepEqual(statuses(after), [200, 405])
})

test('a sender of CONNECT that neither reads nor closes is closed', { timeout: 5_000 }, async (t) => {
  const socket = system.network.connect({ port: rig.port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined)
  socket.write(`CONNECT a:80 HTTP/1.1\r\n${host}\r\n`)
  const beat = setInterval(() => socket.write('x'), 100)
  t.after(() => {
    clearInterval(beat)
    socket.destroy()
  })
  await new Promise<void>((resolve) => socket.once('close', () => resolve()))
})
