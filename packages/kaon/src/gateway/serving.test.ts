import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createSystem } from '../app/system.ts'
import type { FakeCall } from './fake-worker.ts'
import type { GatewayOptions } from './gateway.ts'
import { GatewayRig } from './gateway-rig.ts'
import { type Asked, request } from './test-client.ts'

const system = createSystem()

async function start(options: Partial<GatewayOptions> = {}): Promise<GatewayRig> {
  return new GatewayRig(system, mkdtempSync(join(tmpdir(), 'kg-'))).start(options)
}

function ask(rig: GatewayRig, asked: Partial<Asked> = {}) {
  return request(system.network, { port: rig.port, ...asked })
}

function codeOf({ text }: { text: string }): string {
  return JSON.parse(text).code
}

const says = (text: string) => (call: FakeCall) => call.reply(200, [], text)
const to = [{ kind: 'function' as const, namespace: 'default', function: 'hello', weight: 1 }]

test('a call waits for the first replica, and the control plane is told', async () => {
  await using rig = await start()
  await rig.serve('hello', { replicas: [] })
  const calls = [ask(rig, { headers: { 'kaon-timing': '1' } }), ask(rig)]
  await rig.until('the report', () => rig.received.some((m) => m.kind === 'waiting' && m['revisionUid'] === 'uid-hello-00001'))
  await rig.serve('hello', { replicas: [await rig.replica('a', says('woken'))] })
  const [first, second] = await Promise.all(calls)
  assert.deepEqual([first?.text, second?.text], ['woken', 'woken'])
  assert.match(first?.headers['server-timing'] ?? '', /^cold;dur=/)
  await rig.until('the report that none waits', () => rig.received.findLast(({ kind }) => kind === 'waiting')?.['count'] === 0)
})

test('a call waits for the first revision, unless it is known that it will not come', async () => {
  await using rig = await start()
  const notReady = { code: 'revision_not_ready', message: 'It is being built.' }
  await rig.serve('hello', { replicas: [] }, { traffic: [], notReady })
  const call = ask(rig)
  await rig.until('it to wait', async () => !(await Promise.race([call.then(() => true), system.clock.sleep(20).then(() => false)])))
  await rig.serve('hello', { replicas: [await rig.replica('a', says('built'))] })
  assert.equal((await call).text, 'built')
  const failed = async (code: string) => {
    await rig.serve('hello', { replicas: [] }, { traffic: [], notReady: { code, message: 'The kind of failure.' } })
    const refused = await ask(rig)
    assert.match(refused.text, /The function 'hello' is not ready: The kind of failure\./)
    return [refused.status, codeOf(refused), refused.headers['retry-after']]
  }
  assert.deepEqual(await failed('build_failed'), [503, 'build_failed', undefined])
  assert.deepEqual(await failed('start_failed'), [503, 'start_failed', '1'])
  assert.deepEqual(await failed('a_code_of_later'), [503, 'revision_not_ready', '1'])
})

test('without a replica a call is refused at its deadline, with the reason', async () => {
  await using rig = await start()
  await rig.serve('hello', { replicas: [], timeoutMs: 60 })
  const none = await ask(rig)
  assert.deepEqual([none.status, codeOf(none), none.headers['retry-after']], [503, 'no_replica', '1'])
  rig.stopControl()
  await rig.until('the control plane to be missed', async () => codeOf(await ask(rig)) === 'control_plane_away')
})

test('concurrency is never passed; the rest waits in order, up to the bound', async () => {
  await using rig = await start({ limits: { maxHeld: 3 } })
  const waiting: FakeCall[] = []
  let most = 0
  const replica = await rig.replica('a', (call) => {
    waiting.push(call)
    most = Math.max(most, waiting.length)
  })
  await rig.serve('hello', { replicas: [replica], concurrency: 2, timeoutMs: 5_000 })
  const calls: ReturnType<typeof ask>[] = []
  for (let i = 0; i < 5; i++) {
    calls.push(ask(rig, { path: `/${i}` }))
    if (i === 1) await rig.until('both places to be taken', () => waiting.length === 2)
  }
  await rig.until('the queue to be full', async () =>
    (await ask(rig, { host: 'localhost', path: '/metrics' })).text.includes('revision="hello-00001"} 3'),
  )
  const beyond = await ask(rig)
  assert.deepEqual([beyond.status, codeOf(beyond)], [503, 'overloaded'])
  while (replica.calls.length < 5 || waiting.length > 0) {
    waiting.shift()?.reply(200, [], 'done')
    await system.clock.sleep(2)
  }
  assert.deepEqual(
    (await Promise.all(calls)).map(({ status }) => status),
    [200, 200, 200, 200, 200],
  )
  assert.equal(most, 2)
})

test('a client that goes away leaves the queue', async () => {
  await using rig = await start({ limits: { maxHeld: 1 } })
  await rig.serve('hello', { replicas: [], timeoutMs: 5_000 })
  const socket = system.network.connect(rig.port, '127.0.0.1', () =>
    socket.write('GET / HTTP/1.1\r\nhost: hello.default.localhost\r\n\r\n'),
  )
  const heldIs = async (count: number) =>
    (await ask(rig, { host: 'localhost', path: '/metrics' })).text.includes(
      `kaon_gateway_held{namespace="default",function="hello",revision="hello-00001"} ${count}`,
    )
  await rig.until('it to wait', () => heldIs(1))
  socket.destroy()
  await rig.until('it to be gone', () => heldIs(0))
})

test('a redeploy under load loses no request', async () => {
  await using rig = await start()
  const slowly = (text: string) => (call: FakeCall) =>
    void system.clock.after(Math.floor(system.random.fraction() * 8), () => call.reply(200, [], text))
  const old = await rig.replica('old', slowly('old'))
  await rig.serve('hello', { replicas: [old] })
  const seen: Record<string, number> = {}
  let isOver = false
  const caller = async () => {
    while (!isOver) {
      const { status, text } = await ask(rig, { method: 'POST', body: 'b' })
      const key = status === 200 ? text : `${status} ${text}`
      seen[key] = (seen[key] ?? 0) + 1
    }
  }
  const callers = Array.from({ length: 50 }, caller)
  let last = old
  for (let round = 1; round <= 4; round++) {
    await rig.until('calls', () => last.calls.length > 60)
    const next = await rig.replica(`new${round}`, slowly(`new${round}`))
    await rig.serve('hello', { name: `hello-0000${round + 1}`, replicas: [next] })
    last.drain()
    last = next
  }
  await rig.until('calls', () => last.calls.length > 60)
  isOver = true
  await Promise.all(callers)
  assert.deepEqual(Object.keys(seen).sort(), ['new1', 'new2', 'new3', 'new4', 'old'])
})

test('a gateway that starts without the control plane serves what it knew', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', says('known'))
  await rig.serve('hello', { replicas: [replica] })
  await rig.until('the table to be on disk', () => {
    try {
      return JSON.parse(readFileSync(rig.socket.replace('gateway.sock', 'gateway/table.json'), 'utf8')).version === rig.table.version
    } catch {
      return false
    }
  })
  rig.stopControl()
  assert.equal((await ask(rig)).text, 'known')
  await rig.gateway.close()
  await rig.startGateway()
  assert.equal((await ask(rig)).text, 'known')
  assert.equal((await ask(rig, { host: 'localhost', path: '/readyz' })).status, 200)
  await rig.startControl()
  const again = await rig.replica('b', says('back'))
  rig.received.length = 0
  await rig.until('the hello', () => rig.received.some(({ kind }) => kind === 'hello'))
  assert.equal(rig.received[0]?.['tableVersion'], rig.table.version)
  await rig.serve('hello', { name: 'hello-00002', replicas: [again] })
  assert.equal((await ask(rig)).text, 'back')
})

test('a routing table on disk that is broken keeps nothing from starting', async () => {
  await using rig = await start()
  const file = rig.socket.replace('gateway.sock', 'gateway/table.json')
  await rig.serve('hello', { replicas: [await rig.replica('a', says('hi'))] })
  for (const text of ['{"version":"1","functions":[{', '{"functions":[null],"revisions":[],"routes":[]}', '[]', 'null']) {
    rig.stopControl()
    await rig.gateway.close()
    writeFileSync(file, text)
    await rig.startGateway()
    assert.equal((await ask(rig, { host: 'localhost', path: '/readyz' })).status, 503)
    await rig.startControl()
    await rig.until('the table to come', async () => (await ask(rig)).text === 'hi')
  }
})

test('traffic is split, and tag and revision headers choose', async () => {
  await using rig = await start()
  const [one, two] = [await rig.replica('one', says('one')), await rig.replica('two', says('two'))]
  const revision = (name: string, link: string) => ({
    uid: name,
    name,
    namespace: 'default',
    function: 'hello',
    timeoutMs: 1_000,
    concurrency: 0,
    replicas: [{ id: name, link }],
  })
  const traffic = [
    { revisionUid: 'h-1', percent: 50 },
    { revisionUid: 'h-2', percent: 50 },
  ]
  await rig.publish({
    functions: [{ namespace: 'default', name: 'hello', uid: 'h', traffic, tags: { next: 'h-2' } }],
    revisions: [revision('h-1', one.link), revision('h-2', two.link)],
    routes: [],
  })
  const got = new Set<string>()
  for (let i = 0; i < 40; i++) got.add((await ask(rig)).text)
  assert.deepEqual([...got].sort(), ['one', 'two'])
  for (let i = 0; i < 10; i++) {
    assert.equal((await ask(rig, { headers: { 'kaon-tag': 'next' } })).text, 'two')
    assert.equal((await ask(rig, { headers: { 'kaon-revision': 'h-1' } })).text, 'one')
    assert.equal((await ask(rig, { host: 'next--hello.default.localhost' })).text, 'two')
  }
})

test('a function at a path has the sandbox of browsers, at its host it has not', async () => {
  await using rig = await start()
  await rig.serve('hello', { replicas: [await rig.replica('a', (call) => call.reply(200, [], call.head.target))] })
  const atPath = await ask(rig, { host: '127.0.0.1', path: '/fn/default/hello/x?y' })
  assert.deepEqual([atPath.text, atPath.headers['content-security-policy']], ['/x?y', 'sandbox'])
  assert.equal((await ask(rig)).headers['content-security-policy'], undefined)
  const overSocket = await ask(rig, { socketPath: rig.socket, host: 'anything.example', path: '/fn/default/hello/z' })
  assert.equal(overSocket.text, '/z')
})

test('a route has CORS and keys of its own, and the function sees no key', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', (call) =>
    call.reply(200, ['access-control-allow-origin', 'https://evil.example'], call.head.headers.join(' ')),
  )
  await rig.serve('hello', { replicas: [replica] })
  const cors = {
    origins: ['https://app.example'],
    methods: ['POST'],
    headers: ['x-api-key'],
    exposeHeaders: [],
    credentials: false,
    maxAgeSeconds: 60,
  }
  const auth = { kind: 'api-key' as const, header: 'x-api-key', keyDigests: [createHash('sha256').update('secret-key').digest('hex')] }
  await rig.route({ hosts: ['api.example'], rules: [{ path: '/v1', match: 'prefix', rewrite: '/', to, cors, auth }] })
  const host = 'api.example'
  const origin = 'https://app.example'
  const preflight = await ask(rig, { host, path: '/v1/x', method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } })
  assert.deepEqual(
    [preflight.status, preflight.headers['access-control-allow-origin'], preflight.headers['access-control-allow-methods']],
    [204, origin, 'POST'],
  )
  const refused = await ask(rig, { host, path: '/v1/x', headers: { origin, 'x-api-key': 'wrong' } })
  assert.deepEqual([refused.status, codeOf(refused), refused.headers['access-control-allow-origin']], [401, 'unauthorized', origin])
  const answer = await ask(rig, { host, path: '/v1/x', method: 'POST', headers: { origin, 'X-API-Key': 'secret-key' } })
  assert.deepEqual([answer.status, answer.headers['access-control-allow-origin'], answer.headers['vary']], [200, origin, 'Origin'])
  assert.doesNotMatch(answer.text, /secret-key|x-api-key/)
  assert.equal(replica.calls[0]?.head.target, '/x')
})

test('beyond loopback only what says who may call is served', async () => {
  await using rig = await start({ beyondLoopback: true })
  await rig.serve('hello', { replicas: [await rig.replica('a', says('hi'))] })
  await rig.route({ hosts: ['open.example'], rules: [{ path: '/', match: 'prefix', to, auth: { kind: 'open' } }] })
  await rig.route({ hosts: ['silent.example'], rules: [{ path: '/', match: 'prefix', to }] })
  assert.equal((await ask(rig, { host: 'open.example' })).text, 'hi')
  for (const asked of [
    {},
    { host: 'localhost', path: '/fn/default/hello/' },
    { host: 'silent.example' },
    { host: 'localhost', path: '/metrics' },
    { host: 'localhost' },
  ]) {
    const answer = await ask(rig, asked)
    assert.deepEqual([answer.status, codeOf(answer)], [403, 'forbidden'], JSON.stringify(asked))
  }
  assert.equal((await ask(rig, { host: '10.0.0.1', path: '/healthz' })).status, 200)
  assert.equal((await ask(rig, { socketPath: rig.socket })).text, 'hi')
})

test('a route leads to a plain URL, both bodies streamed, and says so when nobody is there', async () => {
  await using rig = await start()
  const behind = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      outgoing.writeHead(202, { 'x-got': `${incoming.method} ${incoming.url} ${incoming.headers.host}`, connection: 'close' })
      outgoing.end(Buffer.concat(chunks))
    })
  })
  await new Promise<void>((resolve) => behind.listen(0, '127.0.0.1', resolve))
  const { port } = behind.address() as { port: number }
  const url = `http://127.0.0.1:${port}/base/`
  await rig.route({
    hosts: ['url.example'],
    rules: [{ path: '/in', match: 'prefix', rewrite: '/', to: [{ kind: 'url', url, weight: 1 }] }],
  })
  await rig.route({
    hosts: ['dead.example'],
    rules: [{ path: '/', match: 'prefix', to: [{ kind: 'url', url: 'http://127.0.0.1:1/', weight: 1 }] }],
  })
  await rig.route({ hosts: ['bad.example'], rules: [{ path: '/', match: 'prefix', to: [{ kind: 'url', url: 'http://[', weight: 1 }] }] })
  assert.equal((await ask(rig, { host: 'bad.example' })).status, 503)
  const body = 'u'.repeat(400_000)
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }] as Record<string, string>[]) {
    const answer = await ask(rig, { host: 'url.example', path: '/in/x?y=1', method: 'POST', body, headers })
    assert.deepEqual([answer.status, answer.headers['x-got'], answer.text === body], [202, `POST /base/x?y=1 127.0.0.1:${port}`, true])
  }
  const dead = await ask(rig, { host: 'dead.example' })
  assert.deepEqual([dead.status, codeOf(dead)], [503, 'server_unreachable'])
  behind.close()
})

test('the bare address says what is here', async () => {
  await using rig = await start()
  await rig.serve('hello', { replicas: [await rig.replica('a', says('hi'))] })
  const get = (path: string) => ask(rig, { host: `localhost:${rig.port}`, path })
  assert.match((await get('/')).text, new RegExp(`http://hello\\.default\\.localhost:${rig.port}/`))
  await ask(rig)
  const metrics = (await get('/metrics')).text
  assert.match(metrics, /kaon_gateway_requests_total\{namespace="default",function="hello",revision="hello-00001",code="2xx"\} 1\n/)
  const nothing = await get('/nothing')
  assert.deepEqual([nothing.status, codeOf(nothing), nothing.headers['content-type']], [404, 'route_not_found', 'application/problem+json'])
  assert.match(nothing.text, /hint/)
  assert.equal((await ask(rig, { host: 'none.default.localhost' })).status, 404)
})

test('a port in use is named, and closing lets calls finish', async () => {
  await using rig = await start()
  const replica = await rig.replica('a', (call) => void system.clock.after(80, () => call.reply(200, [], 'late')))
  await rig.serve('hello', { replicas: [replica] })
  const taken = rig.port
  const second = new GatewayRig(system, mkdtempSync(join(tmpdir(), 'kg-')))
  await assert.rejects(
    second.startGateway({ port: taken }),
    (error: { code: string; message: string }) => error.code === 'port_in_use' && error.message.includes(String(taken)),
  )
  const call = ask(rig)
  await rig.until('the call', () => replica.calls.length === 1)
  const closed = rig.gateway.close()
  assert.deepEqual([(await call).text, (await call).headers['connection']], ['late', 'close'])
  await closed
  await rig.startGateway()
})
