import assert from 'node:assert/strict'
import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { WorkerCounter } from '../../worker.ts'
import { startRig, until } from './testing.ts'

const http = { host: '127.0.0.1', port: 0 }
const rig = startRig(
  `
let gone = 0
exports.default = async (event, context) => {
  switch (event.path) {
    case '/echo': return { method: event.method, text: event.text(), id: context.requestId, query: event.query.get('q') }
    case '/length': return { n: event.body.byteLength }
    case '/stream': return (async function* () { yield 'one '; await new Promise(r => setTimeout(r, 20)); yield 'two' })()
    case '/midway': return (async function* () { yield 'one '; await new Promise(r => setTimeout(r, 20)); throw new Error('midway') })()
    case '/slow': return new Promise(resolve => context.signal.addEventListener('abort', () => { gone++; setTimeout(resolve, 20) }))
    case '/gone': return gone
    case '/big': return Buffer.alloc(1000000, 'x')
    case '/empty': return
    default: return 'hello'
  }
}`,
  { http, assignment: { timeoutMs: 300 } },
)
const full = startRig(`exports.default = (event, context) => new Promise(() => {})`, { http, assignment: { concurrency: 1 } })
const agent = new Agent({ keepAlive: true })
after(async () => {
  agent.destroy()
  await rig[Symbol.asyncDispose]()
  await full[Symbol.asyncDispose]()
})

type Got = { status: number; message: IncomingMessage; text: string; isWhole: boolean }

async function call(path: string, options: RequestOptions = {}, body?: string | Buffer, port?: number): Promise<Got> {
  const at = port ?? ((await rig.handle.ready).httpPort as number)
  return new Promise((resolve, reject) => {
    const outgoing = request({ agent, host: '127.0.0.1', port: at, path, ...options }, (message) => {
      const chunks: Buffer[] = []
      message.on('data', (chunk) => chunks.push(chunk))
      message.on('error', () => undefined)
      message.on('close', () =>
        resolve({ status: message.statusCode as number, message, text: Buffer.concat(chunks).toString(), isWhole: message.complete }),
      )
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** Writes bytes as they are and gives what comes back until the other side closes. */
async function raw(text: string): Promise<string> {
  const port = (await rig.handle.ready).httpPort as number
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    let got = ''
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(got))
  })
}

test('plain HTTP reaches the handler and comes back with a length and a request id', async () => {
  const got = await call('/echo?q=1', { method: 'POST', headers: { 'x-request-id': 'mine' } }, 'grüße')
  assert.equal(got.text, '{"method":"POST","text":"grüße","id":"mine","query":"1"}')
  assert.equal(got.message.headers['content-length'], String(Buffer.byteLength(got.text)))
  assert.equal(got.message.headers['x-request-id'], 'mine')
  assert.equal(got.message.headers['transfer-encoding'], undefined)
  const made = [await call('/'), await call('/', { headers: { 'x-request-id': 'a b' } })].map(
    (each) => each.message.headers['x-request-id'],
  )
  assert.match(String(made[0]), /^[0-9a-f]{12}-\d+$/)
  assert.notEqual(made[0], made[1])
  assert.equal((await call('/empty')).status, 204)
  assert.equal((await call('/big')).text.length, 1_000_000)
})

test('HEAD has a length and no body', async () => {
  const got = await call('/', { method: 'HEAD' })
  assert.deepEqual([got.status, got.message.headers['content-length'], got.text], [200, '5', ''])
})

test('a stream comes in pieces, and a stream that throws is cut off', async () => {
  const got = await call('/stream')
  assert.deepEqual([got.text, got.isWhole, got.message.headers['transfer-encoding']], ['one two', true, 'chunked'])
  const cut = await call('/midway')
  assert.deepEqual([cut.status, cut.text, cut.isWhole], [200, 'one ', false])
})

test('a body comes chunked or with a length; one past 32 MiB is a 413', async () => {
  assert.equal(
    (await call('/length', { method: 'POST', headers: { 'transfer-encoding': 'chunked' } }, Buffer.alloc(300_000))).text,
    '{"n":300000}',
  )
  const declared = await raw('POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\nabc')
  assert.match(declared, /^HTTP\/1\.1 413 .*"code":"body_too_large"/s)
  const unasked = await raw('POST /length HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1073741824\r\n\r\n')
  assert.match(unasked, /^HTTP\/1\.1 413 /)
  const asked = await raw('POST /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc')
  assert.match(asked, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK.*\{"n":3\}$/s)
})

test('what is no HTTP is a 400, and endless headers are a 431', async () => {
  assert.match(await raw('NONSENSE\r\n\r\n'), /^HTTP\/1\.1 400 /)
  assert.match(await raw(`GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'a'.repeat(40_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /)
})

test('at the deadline the worker answers 504 itself', async () => {
  const got = await call('/slow')
  assert.deepEqual([got.status, JSON.parse(got.text).code], [504, 'handler_timeout'])
  await until(
    () => rig.handle.counters[WorkerCounter.inFlight] === 0,
    () => 'the end of the call',
  )
})

test('a caller that goes away aborts the signal of its calls, pipelined ones too', async () => {
  const before = Number((await call('/gone')).text)
  const port = (await rig.handle.ready).httpPort as number
  const socket = connect(port, '127.0.0.1', () =>
    socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\n'),
  )
  await until(
    () => rig.handle.counters[WorkerCounter.inFlight] === 2,
    () => 'the calls',
  )
  socket.destroy()
  await until(
    () => rig.handle.counters[WorkerCounter.inFlight] === 0,
    () => 'their end',
  )
  assert.equal((await call('/gone')).text, String(before + 2))
})

test('a call beyond the slots is a 503 that says when to come again', async () => {
  const port = (await full.handle.ready).httpPort as number
  const first = request({ host: '127.0.0.1', port }).on('error', () => undefined)
  first.end()
  await until(
    () => full.handle.counters[WorkerCounter.inFlight] === 1,
    () => 'the first',
  )
  const got = await call('/', {}, undefined, port)
  assert.deepEqual([got.status, JSON.parse(got.text).code, got.message.headers['retry-after']], [503, 'overloaded', '1'])
  first.destroy()
})

test('a port that is taken is told by its number', async () => {
  const port = (await rig.handle.ready).httpPort as number
  await using second = startRig(`exports.default = () => 1`, { http: { host: '127.0.0.1', port } })
  await assert.rejects(second.handle.ready, { code: 'port_in_use' })
})
