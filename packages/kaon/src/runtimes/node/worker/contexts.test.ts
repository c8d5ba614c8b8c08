import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startRig, until } from './testing.ts'

const rig = startRig(`
exports.init = (context) => { context.userData.made = 'in init'; console.log('from init') }
exports.default = async (event, context) => {
  const tick = () => new Promise(resolve => setTimeout(resolve, 5))
  switch (event.path) {
    case '/facts': {
      const { requestId, function: name, revision, namespace, worker, secrets, userData, trace, deadline } = context
      return { requestId, name, revision, namespace, worker, secrets, userData, trace, left: deadline - Date.now() }
    }
    case '/logs':
      console.log('printed %s', 'by ' + context.requestId)
      await tick()
      console.warn('warned by ' + context.requestId)
      console.debug('debugged')
      process.stdout.write('half ')
      process.stdout.write('line\\nrest')
      process.stderr.write('error\\n')
      context.logger.info('structured', { big: 1n, error: new RangeError('inner'), circle: context.userData, f() {} })
      context.logger.debug('quiet')
      return
    case '/metrics':
      context.metrics.counter('orders_total', 2, { kind: 'a"b' })
      context.metrics.counter('orders_total', 1, { kind: 'a"b' })
      context.metrics.gauge('depth', 7)
      context.metrics.histogram('took_seconds', 0.02)
      context.metrics.gauge('orders_total', 1)
      for (let i = 0; i < 200; i++) context.metrics.gauge('many', i, { i: String(i) })
      return
    case '/invoke': {
      const response = await context.invoke('other', { a: 1 }, { path: '/deep?q=1', headers: { 'X-Own': 'y' } })
      return { status: response.status, own: response.headers.get('x-own'), body: await response.text() }
    }
    case '/invoke-get': return (await context.invoke('ns/other')).text()
    case '/invoke-wrong': return context.invoke('../etc')
    case '/bindings': return context.bindings.orders
    case '/publish': return context.publish('orders', {})
    case '/later':
      context.waitUntil(tick().then(() => console.log('done later')))
      context.waitUntil(Promise.reject(new Error('failed later')))
      return 'now'
  }
}`)
after(() => rig[Symbol.asyncDispose]())

const call = async (target: string, headers: string[] = []) =>
  (await rig.gateway()).call({ target, requestId: `id${target}`, headers }).done()

test('the context holds the facts of the call, the worker and the function', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const facts = JSON.parse((await call('/facts', ['traceparent', traceparent, 'tracestate', 'a=b'])).text)
  assert.ok(facts.left > 4_000 && facts.left <= 5_000)
  delete facts.left
  assert.deepEqual(facts, {
    requestId: 'id/facts',
    name: 'hello',
    revision: 'hello-00001',
    namespace: 'default',
    worker: 0,
    secrets: { 'api.key': 'opensesame' },
    userData: { made: 'in init' },
    trace: { traceparent, tracestate: 'a=b' },
  })
  const made = JSON.parse((await call('/facts', ['traceparent', '00-zz'])).text)
  assert.match(made.trace.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
})

test('what is printed and what is logged carries the request it belongs to', async () => {
  await Promise.all([call('/logs'), call('/logs?again'), call('/facts')])
  await rig.log((line) => line.msg === 'structured')
  const own = (msg: string) => rig.logs.filter((line) => line.msg === msg)
  assert.deepEqual(
    own('printed by id/logs').map((line) => [line.level, line.stream, line.requestId]),
    [['info', 'stdout', 'id/logs']],
  )
  assert.equal(own('printed by id/logs?again')[0]?.requestId, 'id/logs?again')
  assert.deepEqual([own('warned by id/logs')[0]?.level, own('warned by id/logs')[0]?.stream], ['warn', 'stderr'])
  assert.equal(own('debugged')[0]?.level, 'debug')
  assert.equal(own('half line')[0]?.requestId?.startsWith('id/logs'), true)
  assert.equal(own('error')[0]?.level, 'error')
  assert.equal(own('from init')[0]?.requestId, undefined)
  const [structured] = own('structured')
  const { big, error, f } = structured!.fields as { big: string; error: { name: string; message: string; stack: string }; f: string }
  assert.deepEqual([big, error.name, error.message, f], ['1', 'RangeError', 'inner', '[function f]'])
  assert.equal(structured?.stream, undefined)
  assert.match(String(structured?.ts), /^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/)
})

test('lines below the level are not sent, and the level can be changed', async () => {
  rig.handle.setLogLevel('warn')
  await call('/facts')
  const before = rig.logs.length
  await call('/logs')
  await rig.log((line) => rig.logs.indexOf(line) >= before && line.level === 'error')
  assert.deepEqual(new Set(rig.logs.slice(before).map((line) => line.level)), new Set(['warn', 'error']))
  rig.handle.setLogLevel('debug')
})

test('custom metrics come out as Prometheus reads them, at most 100 series', async () => {
  await call('/metrics')
  const text = await rig.handle.customMetrics()
  assert.match(text, /# TYPE orders_total counter\norders_total\{worker="0",kind="a\\"b"\} 3\n/)
  assert.match(text, /depth\{worker="0"\} 7\n/)
  assert.match(text, /took_seconds_bucket\{worker="0",le="0.01"\} 0\ntook_seconds_bucket\{worker="0",le="0.05"\} 1\n/)
  assert.match(text, /took_seconds_sum\{worker="0"\} 0.02\ntook_seconds_count\{worker="0"\} 1\n/)
  assert.equal(text.match(/^many\{/gm)?.length, 97)
  await rig.log((line) => line.msg.startsWith('More than 100 series'))
  await rig.log((line) => line.msg.includes("'orders_total' is a counter already"))
})

test('invoke goes through the gateway, with what belongs to the call', async () => {
  const seen: { message: IncomingMessage; body: string }[] = []
  const gateway = createServer(async (message, response) => {
    seen.push({ message, body: Buffer.concat(await Array.fromAsync(message)).toString() })
    response.writeHead(201, { 'x-own': 'z' }).end('from other')
  })
  await new Promise<void>((resolve) => gateway.listen(join(rig.folder, 'gateway.sock'), resolve))
  try {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const answer = JSON.parse((await call('/invoke', ['traceparent', traceparent, 'kaon-depth', '3'])).text)
    assert.deepEqual(answer, { status: 201, own: 'z', body: 'from other' })
    const { message, body } = seen[0] as (typeof seen)[0]
    assert.deepEqual([message.method, message.url, body], ['POST', '/fn/default/other/deep?q=1', '{"a":1}'])
    const { headers } = message
    assert.deepEqual(
      [headers['x-request-id'], headers['traceparent'], headers['kaon-depth'], headers['content-type'], headers['x-own'], headers.host],
      ['id/invoke', traceparent, '4', 'application/json', 'y', 'localhost'],
    )
    assert.ok(Number(headers['kaon-timeout-ms']) > 4_000 && Number(headers['kaon-timeout-ms']) <= 5_000)
    assert.equal((await call('/invoke-get')).text, 'from other')
    assert.deepEqual([seen[1]?.message.method, seen[1]?.message.url], ['GET', '/fn/ns/other/'])
    const circle = await call('/invoke', ['kaon-depth', '16'])
    assert.deepEqual([circle.status, seen.length], [508, 2])
    assert.equal((await call('/invoke-wrong')).status, 500)
  } finally {
    gateway.closeAllConnections()
    gateway.close()
  }
})

test('a gateway that is away is a 503 for whoever called', async () => {
  const away = startRig(`exports.default = (event, context) => context.invoke('other')`)
  try {
    const answer = await (await away.gateway()).call().done()
    assert.deepEqual([answer.status, JSON.parse(answer.text).code], [503, 'server_unreachable'])
  } finally {
    await away[Symbol.asyncDispose]()
  }
})

test('what is not there yet says so', async () => {
  for (const target of ['/bindings', '/publish']) {
    const answer = await call(target)
    assert.deepEqual([answer.status, JSON.parse(answer.text).code], [501, 'not_available'])
  }
})

test('work given to waitUntil goes on after the answer; its failure is logged and ends nothing', async () => {
  assert.equal((await call('/later')).text, 'now')
  assert.equal((await rig.log((line) => line.msg === 'done later')).requestId, 'id/later')
  assert.equal((await rig.log((line) => line.msg.includes('Error: failed later'))).requestId, 'id/later')
  assert.equal((await call('/facts')).status, 200)
})

test('a drained worker refuses new calls, finishes those it has and their later work, and ends', async () => {
  const drained = startRig(`
    exports.default = (event, context) => new Promise(resolve => setTimeout(() => {
      context.waitUntil(new Promise(done => setTimeout(() => { console.log('worked on'); done() }, 30)))
      resolve('finished')
    }, event.method === 'PUT' ? 150 : 5))`)
  try {
    const gateway = await drained.gateway()
    const running = gateway.call({ method: 'PUT' })
    await until(
      () => drained.handle.counters[0] === 1,
      () => 'the start',
    )
    drained.handle.drain()
    // The word to drain goes another way than the calls do.
    while ((await gateway.call().done()).ending !== 'refused') assert.equal(running.ending, undefined)
    assert.equal((await running.done()).text, 'finished')
    assert.deepEqual(await drained.handle.exited, { cause: 'stopped', message: 'It was drained.' })
    assert.ok(drained.logs.some((line) => line.msg === 'worked on'))
  } finally {
    await drained[Symbol.asyncDispose]()
  }
})
