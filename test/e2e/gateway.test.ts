import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { type Call, call } from './harness/http.ts'
import { TestPlatform } from './harness/platform.ts'
import { until } from './harness/wait.ts'

// The gateway from outside: real functions behind it, plain HTTP clients before it.
const platform = new TestPlatform()
const outside = http.createServer((request, response) => response.end(`outside ${request.method} ${request.url} ${request.headers.host}`))

const tool = `
let release
export default async function (event, context) {
  switch (event.path) {
    case '/stream': return (async function* () { yield 'first'; await new Promise((done) => { release = done }); yield 'second' })()
    case '/release': release(); return
    case '/wait':
      return new Promise((done) => context.signal.addEventListener('abort', () => {
        console.log('ended by ' + context.signal.reason.name)
        done()
      }))
    case '/circle': {
      const answer = await context.invoke('tool', undefined, { path: '/circle' })
      return new Response(await answer.text(), { status: answer.status })
    }
    default: return { method: event.method, path: event.path, headers: Object.fromEntries(event.headers) }
  }
}`
const upload = 'export const streamBody = true\nexport default (event) => event.stream'
const single = `
const now = () => performance.timeOrigin + performance.now()
export default async () => {
  const from = now()
  await new Promise((done) => setTimeout(done, 10))
  return [from, now()]
}`
const says = (expression: string) => `export default async () => { await new Promise((done) => setTimeout(done, 5)); return ${expression} }`

function fn(name: string, code: string, spec: object = {}): object {
  return { apiVersion: 'kaon.dev/v1', kind: 'Function', metadata: { name }, spec: { source: { inline: code }, ...spec } }
}

function route(name: string, rules: object[]): object {
  return { apiVersion: 'kaon.dev/v1', kind: 'Route', metadata: { name }, spec: { hosts: ['shop.example.com'], rules } }
}

const to = (name: string, weight = 1) => ({ function: name, weight })
const rules = (outsideUrl: string) => [
  { path: '/api', headers: [{ name: 'x-beta', value: 'yes' }], to: [to('left')] },
  { path: '/api', rewrite: '/v1', to: [to('tool')] },
  { path: '/split', to: [to('left', 3), to('right', 1)] },
  { path: '/cors', to: [to('tool')], cors: { origins: ['https://app.example.com'], headers: ['x-own'], exposeHeaders: ['x-request-id'] } },
  { path: '/keyed', to: [to('tool')], auth: { apiKey: { secret: 'keys' } } },
  { path: '/out', rewrite: '/in', to: [{ url: outsideUrl }] },
]

before(async () => {
  outside.listen(0, '127.0.0.1')
  await Promise.all([platform.start(), once(outside, 'listening')])
  const resources = [
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys' }, stringData: { a: 'the-first-key', b: 'the-second-key' } },
    fn('tool', tool, { timeout: '2s' }),
    fn('upload', upload),
    fn('single', single, { concurrency: 1, workers: 2 }),
    fn('left', says("'left'")),
    fn('right', says("'right'")),
    fn('moving', says('process.env.VERSION'), { env: [{ name: 'VERSION', value: '0' }] }),
    route('shop', rules(`http://127.0.0.1:${(outside.address() as AddressInfo).port}`)),
  ]
  await platform.must(['apply', '-f', '-'], { input: resources.map((resource) => JSON.stringify(resource)).join('\n---\n') })
  for (const name of ['tool', 'upload', 'single', 'left', 'right', 'moving'])
    await platform.must(['wait', `function/${name}`, '--for=condition=Ready', '--timeout', '60s'])
})
after(async () => {
  outside.close()
  await platform[Symbol.asyncDispose]()
})

/** A call to the route's host. */
function shop(path: string, { headers, ...options }: Call = {}) {
  return call(`${platform.file.gatewayUrl}${path}`, { ...options, headers: { host: 'shop.example.com', ...headers } })
}

/** A request whose answer is read as it comes. */
function open(name: string, path: string, method = 'GET'): http.ClientRequest {
  const { port } = new URL(platform.file.gatewayUrl)
  const request = http.request({ port, host: '127.0.0.1', path, method, headers: { host: `${name}.default.localhost` } })
  request.on('error', () => undefined)
  request.flushHeaders()
  return request
}

async function nextText(chunks: AsyncIterator<Buffer>): Promise<string> {
  return String((await chunks.next()).value)
}

const inFlight = async () => {
  const metrics = (await call(`${platform.file.gatewayUrl}/metrics`)).text
  return [...metrics.matchAll(/^kaon_gateway_in_flight\{[^}]*\} (\d+)$/gm)].map(([, count]) => Number(count)).reduce((a, b) => a + b, 0)
}

test('a route matches host, path and header, and rewrites', async () => {
  const seen = (await shop('/api/items?q=1')).json<{ path: string; headers: Record<string, string> }>()
  assert.equal(seen.path, '/v1/items')
  assert.equal(seen.headers['x-forwarded-host'], 'shop.example.com')
  assert.equal((await shop('/api/items', { headers: { 'x-beta': 'yes' } })).text, 'left')
  assert.equal((await shop('/apixyz')).status, 404)
  assert.equal((await shop('/api', { headers: { host: 'other.example.com' } })).status, 404)
})

test('weights hold over many calls', async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 20 })
  const answers = await Promise.all(Array.from({ length: 400 }, () => shop('/split', { agent })))
  agent.destroy()
  const left = answers.filter(({ text }) => text === 'left').length
  assert.equal(answers.filter(({ text }) => text === 'right').length, 400 - left)
  // Six standard deviations of 400 draws at 3 to 1.
  assert.ok(left > 300 - 52 && left < 300 + 52, `${left} of 400`)
})

test('a preflight is answered for the function, and answers may be read by the page', async () => {
  const origin = { origin: 'https://app.example.com' }
  const asked = { ...origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-own' }
  const preflight = await shop('/cors', { method: 'OPTIONS', headers: asked })
  assert.equal(preflight.status, 204)
  assert.equal(preflight.headers['access-control-allow-origin'], origin.origin)
  assert.match(preflight.headers['access-control-allow-methods'] ?? '', /POST/)
  assert.match(preflight.headers['access-control-allow-headers'] ?? '', /x-own/)
  const answer = await shop('/cors', { headers: origin })
  assert.equal(answer.headers['access-control-allow-origin'], origin.origin)
  assert.equal(answer.headers['access-control-expose-headers'], 'x-request-id')
  const stranger = await shop('/cors', { headers: { origin: 'https://evil.example.com' } })
  assert.equal(stranger.headers['access-control-allow-origin'], undefined)
})

test('an API key of a secret lets in, and the function never sees it', async () => {
  assert.equal((await shop('/keyed')).status, 401)
  assert.equal((await shop('/keyed', { headers: { 'x-api-key': 'a-guess' } })).status, 401)
  const answer = await shop('/keyed', { headers: { 'x-api-key': 'the-second-key' } })
  assert.equal(answer.status, 200)
  assert.doesNotMatch(answer.text, /x-api-key|the-second-key/)
})

test('JSON web tokens are refused by name until they exist', async () => {
  const body = JSON.stringify(route('tokens', [{ to: [to('tool')], auth: { jwt: { issuer: 'https://id.example.com' } } }]))
  const refused = await platform.kaon(['apply', '-f', '-'], { input: body })
  assert.notEqual(refused.code, 0)
  assert.match(refused.stderr, /spec\.rules\[0\]\.auth\.jwt.*not available/i)
})

test('a route leads to a plain URL', async () => {
  const { port } = outside.address() as AddressInfo
  assert.equal((await shop('/out/a?b=c', { method: 'PUT', body: 'x' })).text, `outside PUT /in/a?b=c 127.0.0.1:${port}`)
})

test('functions at paths are sandboxed, and there on loopback names only', async () => {
  const url = `${platform.file.gatewayUrl}/fn/default/tool/x`
  const answer = await call(url)
  assert.deepEqual([answer.json().path, answer.headers['content-security-policy']], ['/x', 'sandbox'])
  assert.equal((await platform.call('tool')).headers['content-security-policy'], undefined)
  assert.equal((await call(url, { headers: { host: 'kaon.example.com' } })).status, 404)
})

test('request ids are kept, times are told on request, HEAD has no body', async () => {
  const answer = await platform.call('tool', '/', { headers: { 'x-request-id': 'mine-1', 'kaon-timing': '1' } })
  assert.equal(answer.headers['x-request-id'], 'mine-1')
  assert.equal(answer.json<{ headers: Record<string, string> }>().headers['x-request-id'], 'mine-1')
  assert.match(String(answer.headers['server-timing']), /^(queue|cold);dur=[\d.]+, handler;dur=[\d.]+$/)
  const head = await platform.call('tool', '/', { method: 'HEAD' })
  assert.deepEqual([head.status, head.text], [200, ''])
})

test('an answer streams while its handler still waits', async () => {
  const request = open('tool', '/stream')
  request.end()
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
  const chunks = answer[Symbol.asyncIterator]()
  assert.equal(await nextText(chunks), 'first')
  await platform.call('tool', '/release')
  assert.equal(await nextText(chunks), 'second')
})

test('an upload streams both ways, chunk by chunk', async () => {
  const request = open('upload', '/', 'POST')
  request.write('one')
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage]
  const chunks = answer[Symbol.asyncIterator]()
  assert.equal(await nextText(chunks), 'one')
  for (const text of ['two', 'three']) {
    request.write(text)
    assert.equal(await nextText(chunks), text)
  }
  request.end()
  assert.equal((await chunks.next()).done, true)
})

test('a call that is late is a 504 at its deadline', async () => {
  const begin = performance.now()
  const answer = await platform.call('tool', '/wait')
  assert.deepEqual([answer.status, answer.json().code], [504, 'handler_timeout'])
  assert.ok(performance.now() - begin >= 1_990)
})

test('concurrency 1 holds with two workers and 20 callers', async () => {
  const answers = await Promise.all(Array.from({ length: 60 }, () => platform.call('single')))
  const spans = answers.map((answer) => answer.json() as unknown as [number, number]).sort(([a], [b]) => a - b)
  for (const [i, [from]] of spans.entries()) assert.ok(i === 0 || from >= (spans[i - 1]?.[1] ?? 0), `${i}: two ran at once`)
})

test('redeploys under load lose no request', async () => {
  let isOver = false
  const failed: string[] = []
  const caller = async () => {
    while (!isOver) {
      const answer = await platform.call('moving')
      if (answer.status !== 200) failed.push(`${answer.status} ${answer.text}`)
    }
  }
  const callers = Array.from({ length: 20 }, caller)
  for (const version of ['1', '2', '3', '4', '5']) {
    const headers = { 'content-type': 'application/merge-patch+json' }
    const body = JSON.stringify({ spec: { env: [{ name: 'VERSION', value: version }] } })
    const patched = await platform.api('/apis/kaon.dev/v1/namespaces/default/functions/moving', { method: 'PATCH', headers, body })
    assert.equal(patched.status, 200, patched.text)
    await until(`version ${version}`, async () => (await platform.call('moving')).text === version)
  }
  isOver = true
  await Promise.all(callers)
  assert.deepEqual(failed, [])
})

test('a call of a function whose build failed is refused at once, with the kind of failure only', async () => {
  await platform.must(['apply', '-f', '-'], { input: JSON.stringify(fn('broken', 'export default secretWord =')) })
  // Until the build has failed it waits.
  const answer = await platform.call('broken')
  assert.deepEqual([answer.status, answer.json().code, answer.headers['retry-after']], [503, 'build_failed', undefined])
  assert.match(answer.text, /kaon describe function broken/)
  assert.doesNotMatch(answer.text, /secretWord/)
})

test('a function that calls itself for ever ends with 508', async () => {
  assert.equal((await platform.call('tool', '/circle')).status, 508)
})

test('a client that goes away aborts its call, whose place is free when the handler has settled', async () => {
  const waiting = open('tool', '/wait')
  waiting.end()
  await until('the call to be under way', async () => (await inFlight()) === 1)
  waiting.destroy()
  await until('the log', async () => (await platform.must(['logs', 'tool'])).stdout.includes('ended by AbortError'))
  await until('no call to be under way', async () => (await inFlight()) === 0)
})
