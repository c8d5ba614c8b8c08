import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startRig, until } from './testing.ts'

const rig = startRig(`
exports.default = (event) => {
  switch (event.path) {
    case '/json': return { data: event.json() }
    case '/half': return event.source
    default: {
      const { id, source, type, subject, time, datacontenttype, method, path, trigger } = event
      return { id, source, type, subject, time, datacontenttype, method, path, trigger, query: [...event.query], headers: [...event.headers], text: event.text(), bytes: event.body.byteLength }
    }
  }
}`)
const streaming = startRig(`
exports.streamBody = true
exports.default = async (event) => {
  if (event.path === '/body') return event.body
  if (event.path === '/never') return new Promise(() => {})
  let bytes = 0, chunks = 0
  for await (const chunk of event.stream) { bytes += chunk.length; chunks++; if (event.path === '/first') break }
  return { bytes, several: chunks > 1 }
}`)
const web = startRig(`
class Api {
  async fetch(request, env, context) {
    if (request.headers.get('upgrade')) return 5
    return Response.json({ url: request.url, method: request.method, a: request.headers.get('x-a'), text: await request.text(), greeting: env.GREETING, key: env['api.key'], id: context.requestId, pass: typeof context.passThroughOnException, own: this instanceof Api })
  }
}
module.exports = new Api()`)
after(async () => {
  for (const each of [rig, streaming, web]) await each[Symbol.asyncDispose]()
})

test('a plain call is an event of its own kind', async () => {
  const gateway = await rig.gateway()
  const head = {
    method: 'POST',
    target: '/a/b?x=1&x=2',
    requestId: 'call-1',
    headers: ['content-type', 'text/plain', 'x-a', '1', 'x-a', '2', 'x-utf', '\xe9'],
  }
  const event = JSON.parse((await gateway.call(head, 'grüße').done()).text)
  assert.ok(Math.abs(Date.parse(event.time) - Date.now()) < 10_000)
  delete event.time
  assert.deepEqual(event, {
    id: 'call-1',
    source: '/fn/default/hello',
    type: 'dev.kaon.http.request',
    datacontenttype: 'text/plain',
    method: 'POST',
    path: '/a/b',
    trigger: { kind: 'http', name: 'http', attempt: 1 },
    query: [
      ['x', '1'],
      ['x', '2'],
    ],
    headers: [
      ['content-type', 'text/plain'],
      ['x-a', '1, 2'],
      ['x-utf', '\xe9'],
    ],
    text: 'grüße',
    bytes: 7,
  })
})

test('a CloudEvent in headers gives its attributes, percent-decoded', async () => {
  const headers = [
    'ce-specversion',
    '1.0',
    'ce-id',
    'e-1',
    'ce-source',
    '/s',
    'ce-type',
    'made',
    'ce-subject',
    'gr%C3%BCn',
    'ce-time',
    '2020-01-01T00:00:00Z',
    'content-type',
    'application/json',
  ]
  const event = JSON.parse((await (await rig.gateway()).call({ headers }, '{"a":1}').done()).text)
  assert.deepEqual(
    [event.id, event.source, event.type, event.subject, event.time, event.datacontenttype, event.text],
    ['e-1', '/s', 'made', 'grün', '2020-01-01T00:00:00Z', 'application/json', '{"a":1}'],
  )
})

test('a CloudEvent in the body gives its attributes, and its data as the body', async () => {
  const gateway = await rig.gateway()
  const headers = ['content-type', 'application/cloudevents+json; charset=utf-8']
  const send = async (target: string, event: object) => {
    const body = JSON.stringify({ specversion: '1.0', id: 'e-2', source: '/s', type: 'made', ...event })
    return JSON.parse((await gateway.call({ target, headers }, body).done()).text)
  }
  const event = await send('/', { data: { a: 1 } })
  assert.deepEqual([event.id, event.type, event.datacontenttype, event.text], ['e-2', 'made', 'application/json', '{"a":1}'])
  assert.deepEqual(await send('/json', { data: { a: 1 } }), { data: { a: 1 } })
  assert.deepEqual(await send('/json', { data: '1' }), { data: '1' })
  assert.equal((await send('/', { data: 'plain', datacontenttype: 'text/plain' })).text, 'plain')
  assert.equal((await send('/', { data_base64: 'aGk=' })).text, 'hi')
  assert.equal((await send('/', { id: '' })).status, 400)
})

test('broken JSON and half an event are the caller’s fault', async () => {
  const gateway = await rig.gateway()
  const broken = await gateway.call({ target: '/json' }, '{"a":').done()
  assert.deepEqual([broken.status, broken.headers['content-type']], [400, 'application/problem+json'])
  assert.match(JSON.parse(broken.text).detail, /^The body is not JSON: Unexpected/)
  assert.match(JSON.parse((await gateway.call({ target: '/json' }).done()).text).detail, /empty/)
  const half = await gateway.call({ target: '/half', headers: ['ce-specversion', '1.0', 'ce-id', '1'] }).done()
  assert.deepEqual([half.status, JSON.parse(half.text).detail], [400, "The CloudEvent has no header 'ce-source'."])
})

test('a handler that asks for it gets its body as it comes', async () => {
  const gateway = await streaming.gateway()
  const call = gateway.open({ method: 'POST' })
  gateway.send(call, 'one', false)
  await new Promise((resolve) => setTimeout(resolve, 20))
  gateway.send(call, 'two', true)
  assert.equal((await call.done()).text, '{"bytes":6,"several":true}')
  const early = gateway.open({ method: 'POST', target: '/first' })
  gateway.send(early, 'one', false)
  assert.equal((await early.done()).text, '{"bytes":3,"several":false}')
  assert.equal((await gateway.call({}).done()).text, '{"bytes":0,"several":false}')
  const body = await gateway.call({ target: '/body' }, 'x').done()
  assert.equal(body.status, 500)
  await streaming.log((line) => line.msg.includes('read event.stream'))
})

test('more body bytes than there is room for end the connection', async () => {
  const gateway = await streaming.gateway()
  const call = gateway.open({ method: 'POST', target: '/never' })
  gateway.send(call, Buffer.alloc(gateway.windowBytes), false)
  gateway.writer.bare(10)
  gateway.flush()
  await until(
    () => gateway.pongs === 1,
    () => 'a pong',
  )
  assert.equal(call.credit, 0)
  gateway.send(call, 'one more', false)
  assert.equal((await call.done()).ending, 'closed')
})

test('an object with a fetch method is a web-standard handler', async () => {
  const gateway = await web.gateway()
  const headers = ['host', 'api.example:8080', 'x-forwarded-proto', 'https', 'x-a', '1']
  const answer = JSON.parse((await gateway.call({ method: 'PUT', target: '/p?q=1', requestId: 'w', headers }, 'body').done()).text)
  assert.deepEqual(answer, {
    url: 'https://api.example:8080/p?q=1',
    method: 'PUT',
    a: '1',
    text: 'body',
    greeting: 'hi',
    key: 'opensesame',
    id: 'w',
    pass: 'function',
    own: true,
  })
  assert.equal((await gateway.call({ method: 'TRACE' }).done()).status, 400)
})
