import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { CancelReason } from '../../../base/frames/frame.ts'
import { startRig, until } from './testing.ts'

const rig = startRig(`
const forms = {
  nothing: () => undefined,
  null: () => null,
  text: () => 'grüße',
  bytes: () => new Uint8Array([1, 2, 3]),
  view: () => new Uint16Array([258]),
  buffer: () => new Uint8Array([7, 8]).buffer,
  json: () => ({ status: 'ok', n: 1 }),
  number: () => 5,
  list: () => [1, 'a'],
  'body-alone': () => ({ body: 'x' }),
  full: () => ({ status: 201, headers: { Location: '/x', 'Set-Cookie': ['a=1', 'b=2'], connection: 'close', 'content-length': '99' }, body: { made: true } }),
  'full-typed': () => ({ status: 200, headers: { 'content-type': 'text/html' }, body: '<p>' }),
  'full-date': () => ({ status: 200, body: new Date(0) }),
  'full-empty': () => ({ status: 404 }),
  'headers-only': () => ({ headers: { 'x-a': 1 } }),
  response: () => new Response('made', { status: 202, headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['x-b', 'y']] }),
  'response-json': () => Response.json({ a: 1 }),
  'no-content': () => new Response(null, { status: 204 }),
  stream: () => new ReadableStream({ async start(c) { c.enqueue('one '); await new Promise(r => setTimeout(r, 20)); c.enqueue(new TextEncoder().encode('two')); c.close() } }),
  generator: async function* () { yield 'a'; await new Promise(r => setTimeout(r, 10)); yield 'b' },
  'sync-generator': function* () { yield 'a'; yield 'b' },
  'empty-generator': async function* () {},
  ndjson: async function* () { yield { a: 1 }; await new Promise(r => setTimeout(r, 10)); yield [2] },
  throws: () => { throw new Error('the secret is opensesame') },
  rejects: async () => { throw new TypeError('later') },
  'throws-text': () => { throw 'just text' },
  'http-error': () => { throw Object.assign(new Error('no such thing'), { status: 404, headers: { 'x-why': 'gone' } }) },
  'bad-status': () => ({ status: 99 }),
  'bad-header': () => ({ status: 200, headers: { 'x-a': 'line\\nbreak' } }),
  'emoji-header': () => ({ status: 200, headers: { 'x-a': '😀' } }),
  'bad-name': () => ({ status: 200, headers: { 'x a': '1' } }),
  'huge-headers': () => ({ status: 200, headers: { 'x-a': 'a'.repeat(70000) } }),
  circular: () => { const o = {}; o.o = o; return o },
  bigint: () => ({ n: 1n }),
  function: () => () => 1,
  'used-response': async () => { const r = new Response('x'); await r.text(); return r },
  midway: async function* () { yield 'first'; await new Promise(r => setTimeout(r, 10)); throw new Error('midway') },
  'first-throws': async function* () { throw Object.assign(new Error('busy'), { status: 503 }) },
}
exports.default = (event) => forms[event.path.slice(1)](event)
`)
after(() => rig[Symbol.asyncDispose]())

const call = async (name: string, method = 'GET') => (await rig.gateway()).call({ target: `/${name}`, method }).done()

const text = 'text/plain; charset=utf-8'
const json = 'application/json'
const bytes = 'application/octet-stream'

const expected: [name: string, status: number, type: string | undefined, body: string][] = [
  ['nothing', 204, undefined, ''],
  ['null', 204, undefined, ''],
  ['text', 200, text, 'grüße'],
  ['bytes', 200, bytes, '\x01\x02\x03'],
  ['view', 200, bytes, '\x02\x01'],
  ['buffer', 200, bytes, '\x07\x08'],
  ['json', 200, json, '{"status":"ok","n":1}'],
  ['number', 200, json, '5'],
  ['list', 200, json, '[1,"a"]'],
  ['body-alone', 200, json, '{"body":"x"}'],
  ['full', 201, json, '{"made":true}'],
  ['full-typed', 200, 'text/html', '<p>'],
  ['full-date', 200, json, '"1970-01-01T00:00:00.000Z"'],
  ['full-empty', 404, undefined, ''],
  ['headers-only', 204, undefined, ''],
  ['response', 202, 'text/plain;charset=UTF-8', 'made'],
  ['response-json', 200, json, '{"a":1}'],
  ['no-content', 204, undefined, ''],
  ['stream', 200, text, 'one two'],
  ['generator', 200, text, 'ab'],
  ['sync-generator', 200, text, 'ab'],
  ['empty-generator', 200, undefined, ''],
  ['ndjson', 200, 'application/x-ndjson', '{"a":1}\n[2]\n'],
]

test('each form of a result becomes the answer that the rules say', async () => {
  for (const [name, status, type, body] of expected) {
    const answer = await call(name)
    assert.deepEqual([name, answer.status, answer.headers['content-type'], answer.text], [name, status, type, body])
    assert.equal(answer.ending, 'end')
  }
})

test('whole answers say their length; headers that frame a message are the platform’s', async () => {
  const full = await call('full')
  assert.equal(full.headers['content-length'], '13')
  assert.equal(full.headers['location'], '/x')
  assert.deepEqual(full.headers['set-cookie'], ['a=1', 'b=2'])
  assert.equal(full.headers['connection'], undefined)
  assert.deepEqual((await call('response')).headers['set-cookie'], ['a=1', 'b=2'])
  assert.equal((await call('response')).headers['content-length'], '4')
  assert.equal((await call('sync-generator')).headers['content-length'], '2')
  assert.equal((await call('stream')).headers['content-length'], undefined)
  assert.equal((await call('no-content')).headers['content-length'], undefined)
})

test('HEAD gets the head of the same answer and no body', async () => {
  const whole = await call('text', 'HEAD')
  assert.deepEqual([whole.status, whole.headers['content-length'], whole.text, whole.ending], [200, '7', '', 'end'])
  const stream = await call('stream', 'HEAD')
  assert.deepEqual([stream.status, stream.text, stream.ending], [200, '', 'end'])
})

test('what a handler throws is a 500 that tells the caller nothing and the log everything', async () => {
  const answer = await call('throws')
  assert.equal(answer.status, 500)
  assert.equal(answer.headers['content-type'], 'application/problem+json')
  assert.equal(JSON.parse(answer.text).code, 'handler_error')
  assert.ok(!answer.text.includes('opensesame') && !answer.text.includes('handler.js'))
  const line = await rig.log((each) => each.msg.includes('the secret is opensesame'))
  assert.equal(line.level, 'error')
  assert.match(String(line.fields?.['stack']), /at .*handler\.js:\d+:\d+/)
  assert.ok(!String(line.fields?.['stack']).includes('call-runner'))
  assert.equal((await call('rejects')).status, 500)
  assert.equal((await call('throws-text')).status, 500)
  await rig.log((each) => each.msg === 'TypeError: later')
})

test('an error with a status is answered with it, its message and its headers', async () => {
  const answer = await call('http-error')
  assert.equal(answer.status, 404)
  assert.equal(answer.headers['x-why'], 'gone')
  assert.equal(JSON.parse(answer.text).detail, 'no such thing')
  const first = await call('first-throws')
  assert.deepEqual([first.status, JSON.parse(first.text).detail], [503, 'busy'])
})

test('what cannot be sent is a 502 response_invalid that says why', async () => {
  const cases: [string, RegExp][] = [
    ['bad-status', /the status 99/],
    ['bad-header', /'x-a' with the character U\+000A at 4/],
    ['emoji-header', /'x-a' with the character/],
    ['bad-name', /header name "x a"/],
    ['huge-headers', /headers of 70\d\d\d bytes/],
    ['circular', /circular/],
    ['bigint', /BigInt/],
    ['function', /a function/],
    ['used-response', /body has been read/],
  ]
  for (const [name, message] of cases) {
    const answer = await call(name)
    assert.deepEqual([name, answer.status, JSON.parse(answer.text).code], [name, 502, 'response_invalid'])
    assert.match(JSON.parse(answer.text).detail, message)
    await rig.log((each) => each.level === 'error' && message.test(each.msg))
  }
})

test('a stream that throws midway is cut off, never ended cleanly', async () => {
  const answer = await call('midway')
  assert.deepEqual([answer.status, answer.text, answer.ending, answer.reason], [200, 'first', 'cancel', CancelReason.failed])
  await rig.log((each) => each.msg === 'Error: midway')
  await until(
    () => rig.handle.counters[6] === 0,
    () => 'no call in flight',
  )
})
