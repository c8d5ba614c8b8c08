import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CancelReason } from '../../../base/frames/frame.ts'
import { WorkerCounter } from '../../worker.ts'
import { type RigOptions, startRig, until } from './testing.ts'

const code = `
const sleep = (ms) => new Promise(resolve => setTimeout(resolve, ms))
exports.default = async (event, context) => {
  switch (event.path) {
    case '/loop': console.log('about to loop'); for (;;);
    case '/slow': case '/late': {
      const aborted = new Promise(resolve => context.signal.addEventListener('abort', () => resolve(context.signal.reason.name)))
      console.log('aborted with ' + await aborted)
      await sleep(event.path === '/slow' ? 30 : 600)
      return 'too late'
    }
    case '/memory': { const all = []; for (;;) all.push(new Array(100000).fill(all.length)) }
    case '/throw-later': setTimeout(() => { throw new Error('thrown later') }, 1); await sleep(5000)
    case '/reject-later': Promise.reject(new TypeError('rejected later')); await sleep(5000)
    case '/exit': console.log('leaving'); process.exit(3)
    case '/kill': process.kill(process.pid, 'SIGTERM'); await sleep(5000)
    case '/environment': return { env: process.env, execArgv: process.execArgv, argv: process.argv.length }
    case '/flood': for (let i = 0; i < 60000; i++) console.log('line ' + i); return 'flooded'
    case '/busy': { const end = Date.now() + 400; while (Date.now() < end); return 'done' }
    default: return 'fine'
  }
}`

for (const isolation of ['thread', 'process'] as const) {
  const rigWith = (assignment: RigOptions['assignment'] = {}) => startRig(code, { assignment: { isolation, ...assignment } })

  test(`${isolation}: at the deadline the signal is aborted and, when no gateway does, the worker answers 504`, async () => {
    await using rig = rigWith()
    const gateway = await rig.gateway()
    const call = gateway.call({ target: '/late', deadlineMs: 60 })
    const answer = await call.done()
    assert.deepEqual([answer.ending, answer.status, JSON.parse(answer.text).code], ['end', 504, 'handler_timeout'])
    assert.equal(answer.isStarted, isolation === 'process')
    await rig.log((line) => line.msg === 'aborted with TimeoutError')
    await until(
      () => rig.handle.counters[WorkerCounter.inFlight] === 0 && rig.handle.counters[WorkerCounter.timedOut] === 1,
      () => 'the end of the call',
    )
    assert.equal((await rig.log((line) => line.stream === 'platform' && line.requestId === 'r1')).level, 'warn')
    assert.equal((await gateway.call().done()).text, 'fine')
  })

  test(`${isolation}: after the gateway's CANCEL the slot is held until the handler settles`, async () => {
    await using rig = rigWith({ concurrency: 1 })
    const gateway = await rig.gateway()
    const call = gateway.call({ target: '/slow' })
    await until(
      () => rig.handle.counters[WorkerCounter.started] === 1,
      () => 'the start',
    )
    gateway.cancel(call, CancelReason.deadline)
    const ended = await call.done()
    assert.deepEqual([ended.ending, ended.status], ['cancel', 0])
    assert.equal((await gateway.call().done()).text, 'fine')
    await until(
      () => rig.handle.counters[WorkerCounter.abandoned] === 0 && rig.handle.counters[WorkerCounter.failed] === 1,
      () => 'the counters',
    )
  })

  test(`${isolation}: an endless loop shows as overdue after its deadline, and what it printed before is told`, async () => {
    await using rig = rigWith()
    const gateway = await rig.gateway()
    assert.equal((await gateway.call().done()).text, 'fine')
    const call = gateway.call({ target: '/loop', deadlineMs: 100 })
    await rig.log((line) => line.msg === 'about to loop')
    await until(
      () => rig.handle.overdueMs() > 100,
      () => 'the worker to be overdue',
    )
    if (isolation === 'thread') assert.equal(rig.handle.lastStarted()[String(gateway.connection)], call.stream)
    else assert.ok(call.isStarted)
    await rig.handle.terminate('timeout', 'It looped.')
    assert.deepEqual(await rig.handle.exited, { cause: 'timeout', message: 'It looped.' })
    assert.equal((await call.done()).ending, 'closed')
    if (isolation === 'thread') assert.equal(rig.handle.lastStarted()[String(gateway.connection)], call.stream)
  })

  test(`${isolation}: a handler that computes for long within its deadline is not overdue`, async () => {
    await using rig = rigWith()
    const gateway = await rig.gateway()
    const call = gateway.call({ target: '/busy' })
    let worst = 0
    await until(
      () => {
        worst = Math.max(worst, rig.handle.overdueMs())
        return call.ending !== undefined
      },
      () => 'the answer',
    )
    assert.equal(worst, 0)
  })

  test(`${isolation}: a worker that runs out of memory ends, and nothing else does`, async () => {
    await using rig = rigWith({ memoryBytes: 32 * 2 ** 20 })
    const call = (await rig.gateway()).call({ target: '/memory' })
    const exit = await rig.handle.exited
    assert.deepEqual([exit.cause, exit.message], ['memory', 'The worker used more than its heap of 32 MiB.'])
    assert.equal((await call.done()).ending, 'closed')
  })

  test(`${isolation}: an error that nobody catches and a rejection that nobody handles end the worker as crashed, and are logged`, async () => {
    for (const [target, message] of [
      ['/throw-later', 'An error was thrown and nobody caught it: Error: thrown later'],
      ['/reject-later', 'A promise was rejected and nobody handled it: TypeError: rejected later'],
    ] as const) {
      await using rig = rigWith()
      ;(await rig.gateway()).call({ target })
      assert.deepEqual(await rig.handle.exited, { cause: 'crashed', message })
      const line = await rig.log((each) => each.msg === message)
      assert.match(String(line.fields?.['stack']), /handler\.js:\d+:\d+/)
    }
  })

  test(`${isolation}: process.exit() and a signal to itself end the worker only`, async () => {
    await using rig = rigWith()
    ;(await rig.gateway()).call({ target: '/exit' })
    assert.deepEqual(await rig.handle.exited, { cause: 'exited', message: 'The handler called process.exit(3).' })
    assert.ok(rig.logs.some((line) => line.msg === 'leaving'))
    await using killed = rigWith()
    ;(await killed.gateway()).call({ target: '/kill' })
    const exit = await killed.handle.exited
    assert.equal(exit.cause, isolation === 'thread' ? 'exited' : 'crashed')
  })

  test(`${isolation}: the handler's environment is the assignment's and no other`, async () => {
    await using rig = rigWith()
    const { env } = JSON.parse((await (await rig.gateway()).call({ target: '/environment' }).done()).text)
    assert.deepEqual(env, { GREETING: 'hi' })
  })

  test(`${isolation}: a flood of output is cut, counted, and starves nobody`, async () => {
    await using rig = rigWith()
    const gateway = await rig.gateway()
    assert.equal((await gateway.call({ target: '/flood' }).done()).text, 'flooded')
    const notice = await rig.log((line) => line.stream === 'platform' && line.msg.includes('were dropped'))
    const dropped = Number.parseInt(notice.msg, 10)
    const kept = rig.logs.filter((line) => line.msg.startsWith('line ')).length
    assert.equal(kept + dropped, 60_000)
    assert.ok(kept >= 10_000 && rig.logs[0]?.msg === 'line 0')
  })
}
