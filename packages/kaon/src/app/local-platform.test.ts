import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { JsonLineDecoder } from '../base/json-lines.ts'
import type { FromSupervisor } from '../model/link-protocol.ts'
import { replicas, testPlatform } from '../platforms/conformance.ts'
import { TestGateway, until } from '../runtimes/node/worker/testing.ts'
import { createFunctionMetrics } from './function-metrics.ts'
import { type LocalRig, logText, openLocalRig } from './platform-rig.ts'
import { createSystem } from './system.ts'

testPlatform('local', () => openLocalRig())

const system = createSystem()

/** What a handler may do wrong, by path. */
const naughty = `
  exports.init = (context) => context.logger.info("started")
  exports.default = async (event, context) => {
    if (event.path === '/loop') for (;;) ;
    if (event.path === '/exit') process.exit(7)
    if (event.path === '/memory') { const kept = []; for (;;) kept.push(new Array(1e5).fill(Math.random())) }
    if (event.path === '/slow') {
      context.logger.info('slow began')
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    if (event.path === '/env') return { env: process.env, argv: process.argv, cwd: process.cwd() }
    if (event.path === '/secret') require('node:fs').writeSync(1, 'raw ' + context.secrets['api.key'] + '\\n')
    return 'pid ' + process.pid
  }`

/** A gateway's view of one replica: its workers, as the link tells. */
async function dial(rig: LocalRig, id: string) {
  const messages: FromSupervisor[] = []
  const decoder = new JsonLineDecoder()
  const socket = connect(join(rig.runFolder, `l-${id}.sock`)).on('data', (chunk: Buffer) =>
    messages.push(...(decoder.push(chunk) as FromSupervisor[])),
  )
  socket.on('error', () => undefined)
  const workers = () => messages.findLast((message) => message.kind === 'workers')?.workers ?? []
  await until(
    () => workers().length > 0,
    () => 'the workers of the replica',
  )
  const gateways: TestGateway[] = []
  return {
    messages,
    workers,
    async gateway(index = 0) {
      const worker = workers().find((known) => known.index === index)
      const gateway = await TestGateway.connect(worker?.socket ?? '')
      gateways.push(gateway)
      return gateway
    },
    [Symbol.dispose]() {
      socket.destroy()
      for (const gateway of gateways) gateway.socket.destroy()
    },
  }
}

async function oneReady(rig: LocalRig, overrides: Parameters<LocalRig['wanted']>[0] = { revision: 'hello-00001', count: 1 }) {
  rig.platform.ensure(rig.wanted(overrides))
  const [replica] = await replicas(rig.platform, (all) => all.length === 1 && all[0]?.phase === 'ready')
  return replica!
}

async function logHas(rig: LocalRig, part: string): Promise<string> {
  const deadline = performance.now() + 5_000
  for (;;) {
    const text = await logText(rig)
    if (text.includes(part)) return text
    if (performance.now() > deadline) assert.fail(`The log never had '${part}':\n${text}`)
    await system.clock.sleep(10)
  }
}

test('a replica sees nothing of the platform’s environment, and its token is nowhere to be found', async () => {
  await using rig = await openLocalRig(naughty)
  const { id, pid } = await oneReady(rig)
  using link = await dial(rig, id)
  const { env, cwd } = JSON.parse((await (await link.gateway()).call({ target: '/env' }).done()).text)
  assert.deepEqual(Object.keys(env).sort(), ['GREETING', 'KAON_FILES', 'KAON_NAMESPACE', 'K_CONFIGURATION', 'K_REVISION', 'K_SERVICE'])
  assert.match(cwd, new RegExp(`replicas/${id}/work$`))
  const record = JSON.parse(await readFile(join(rig.dataFolder, 'replicas', `${id}.json`), 'utf8'))
  assert.equal(record.pid, pid)
  assert.equal(record.tokenDigest, rig.platform.expectedTokens.get(id))
  if (existsSync(`/proc/${pid}/environ`)) assert.equal(await readFile(`/proc/${pid}/environ`, 'utf8'), '')
})

test('the sockets of a replica are for its user alone', async () => {
  await using rig = await openLocalRig(naughty)
  const { id } = await oneReady(rig)
  const sockets = () => readdir(rig.runFolder).then((names) => names.filter((name) => name.includes(id)).sort())
  while ((await sockets()).length < 3) await system.clock.sleep(10)
  assert.deepEqual(await sockets(), [`a-${id}.sock`, `l-${id}.sock`, `w-${id}-0-1.sock`])
  const modes = async () =>
    Promise.all((await sockets()).map(async (name) => ((await stat(join(rig.runFolder, name))).mode & 0o777).toString(8)))
  // The admin socket comes last: it is made once the replica is ready.
  const deadline = performance.now() + 5_000
  while ((await modes()).some((mode) => mode !== '600') && performance.now() < deadline) await system.clock.sleep(10)
  assert.deepEqual(await modes(), ['600', '600', '600'])
})

test('a replica killed with -9 is started again, its log says so, and nothing of it is left', async () => {
  await using rig = await openLocalRig(naughty)
  const first = await oneReady(rig)
  process.kill(first.pid as number, 'SIGKILL')
  const [second] = await replicas(rig.platform, ([one]) => one?.phase === 'ready' && one.id !== first.id)
  assert.equal(second?.restarts, 1)
  assert.match(await logText(rig), /The replica was lost: its process was ended by SIGKILL\./)
  assert.deepEqual(
    (await rig.leftovers()).filter((name) => name.includes(first.id)),
    [],
  )
})

test('a replica whose process hangs as a whole is ended and replaced, and one that beats is not', async () => {
  await using rig = await openLocalRig(naughty, { silenceMs: 4_000 })
  const all = await (async () => {
    rig.platform.ensure(rig.wanted({ revision: 'hello-00001', count: 2 }))
    return replicas(rig.platform, (known) => known.length === 2 && known.every(({ phase }) => phase === 'ready'))
  })()
  const [hung, well] = all
  process.kill(hung?.pid as number, 'SIGSTOP')
  const later = await replicas(
    rig.platform,
    (known) => known.length === 2 && known.every(({ id, phase }) => phase === 'ready' && id !== hung?.id),
  )
  assert.deepEqual(later.map(({ id, restarts }) => [id === well?.id, restarts]).sort(), [
    [false, 1],
    [true, 0],
  ])
  assert.match(
    await logHas(rig, 'hung'),
    /The replica was lost: its process hung: nothing was heard of it for [4-6](\.\d)? s, so it was ended\./,
  )
  assert.equal(await system.processes.startTime(hung?.pid as number), undefined)
})

test('an endless loop is ended after its deadline and its worker replaced while another worker goes on', async () => {
  await using rig = await openLocalRig(naughty)
  const { id, pid } = await oneReady(rig, { revision: 'hello-00001', count: 1, workers: 2 })
  using link = await dial(rig, id)
  const [looping, other] = [await link.gateway(0), await link.gateway(1)]
  const lost = looping.call({ target: '/loop', deadlineMs: 200 })
  while (lost.ending === undefined) assert.equal((await other.call().done()).text, `pid ${pid}`)
  await until(
    () => link.workers().some(({ index, generation }) => index === 0 && generation === 2),
    () => 'a fresh worker',
  )
  const gone = link.messages.find((message) => message.kind === 'gone')
  assert.ok(gone?.kind === 'gone' && gone.cause === 'timeout' && Object.values(gone.lastStarted).includes(lost.stream))
  assert.equal((await (await link.gateway(0)).call().done()).text, `pid ${pid}`)
})

for (const [path, cause] of [
  ['/exit', 'exited'],
  ['/memory', 'memory'],
] as const)
  test(`a handler that ends by ${path} costs its worker, not the replica`, async () => {
    await using rig = await openLocalRig(naughty)
    const { id, pid } = await oneReady(rig, { revision: 'hello-00001', count: 1, timeoutMs: 10_000 })
    using link = await dial(rig, id)
    assert.equal((await (await link.gateway()).call({ target: path }).done()).ending, 'closed')
    await until(
      () => link.messages.find((message) => message.kind === 'gone' && message.cause === cause),
      () => `a worker gone by ${cause}: ${JSON.stringify(link.messages)}`,
    )
    await until(
      () => link.workers()[0]?.generation === 2,
      () => 'a fresh worker',
    )
    assert.equal((await (await link.gateway()).call().done()).text, `pid ${pid}`)
  })

test('a control plane that comes back finds its replicas again: same processes, and they never stopped answering', async () => {
  await using rig = await openLocalRig(naughty)
  const before = await oneReady(rig)
  using link = await dial(rig, before.id)
  const gateway = await link.gateway()
  await rig.leave()
  assert.equal((await gateway.call().done()).text, `pid ${before.pid}`)
  await rig.come()
  const after = await oneReady(rig)
  assert.deepEqual([after.id, after.pid, after.restarts], [before.id, before.pid, 0])
  assert.equal((await gateway.call().done()).text, `pid ${before.pid}`)
})

test('a control plane that comes back removes what is left of replicas that died meanwhile', async () => {
  await using rig = await openLocalRig(naughty)
  const before = await oneReady(rig)
  await rig.leave()
  process.kill(before.pid as number, 'SIGKILL')
  while ((await system.processes.startTime(before.pid as number)) !== undefined) await system.clock.sleep(5)
  await rig.come()
  assert.deepEqual(
    (await rig.leftovers()).filter((name) => name.includes(before.id)),
    [],
  )
})

test('a process of before that never dials is ended, and another takes its place', async () => {
  await using rig = await openLocalRig(naughty)
  const before = await oneReady(rig)
  await rig.leave()
  process.kill(before.pid as number, 'SIGSTOP')
  // Ten seconds of patience pass in a fifth of one.
  await rig.come({ ...system.clock, after: (delayMs, action, options) => system.clock.after(delayMs / 50, action, options) })
  rig.platform.ensure(rig.wanted({ revision: 'hello-00001', count: 1 }))
  const [after] = await replicas(rig.platform, ([one]) => one?.phase === 'ready')
  assert.notEqual(after?.pid, before.pid)
  assert.equal(await system.processes.startTime(before.pid as number), undefined)
})

test('worker processes of a replica that was killed with -9 do not run on', async () => {
  await using rig = await openLocalRig(naughty)
  const { id, pid } = await oneReady(rig, { revision: 'hello-00001', count: 1, isolation: 'process' })
  using link = await dial(rig, id)
  const workerPid = Number((await (await link.gateway()).call().done()).text.replace('pid ', ''))
  assert.notEqual(workerPid, pid)
  process.kill(pid as number, 'SIGKILL')
  await replicas(rig.platform, ([one]) => one?.phase === 'ready' && one.id !== id)
  assert.equal(await system.processes.startTime(workerPid), undefined)
})

test('a drain finishes what is in flight, and then nothing is left', async () => {
  await using rig = await openLocalRig(naughty)
  const { id } = await oneReady(rig)
  using link = await dial(rig, id)
  const call = (await link.gateway()).call({ target: '/slow' })
  await logHas(rig, 'slow began')
  rig.platform.ensure(rig.wanted({ revision: 'hello-00001', count: 0 }))
  const { status, ending } = await call.done()
  assert.deepEqual([status, ending], [200, 'end'])
  await replicas(rig.platform, (all) => all.length === 0)
  await rig.platform.close({ stopReplicas: true })
  assert.deepEqual(await rig.leftovers(), [])
})

test('what is printed past the logger reaches the log, without the secrets; metrics are served', async () => {
  await using rig = await openLocalRig(naughty)
  const { id } = await oneReady(rig)
  using link = await dial(rig, id)
  await (await link.gateway()).call({ target: '/secret' }).done()
  assert.match(await logHas(rig, 'raw'), /"msg":"raw \*\*\*"/)
  const metrics = createFunctionMetrics({
    ...system,
    platform: rig.platform,
    adminSocketOf: (replica) => join(rig.runFolder, `a-${replica}.sock`),
  })
  assert.match(await metrics('default', 'hello'), /kaon_invocations_total\{namespace="default",function="hello",[^}]*result="ok"\} 1/)
})

test('no process is left when the platform has stopped', async () => {
  const rig = await openLocalRig(naughty)
  const { pid } = await oneReady(rig)
  await rig[Symbol.asyncDispose]()
  await assert.rejects(promisify(execFile)('ps', ['-p', String(pid)]))
  await assert.rejects(readdir(rig.dataFolder), { code: 'ENOENT' })
})
