import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { TestPlatform } from './harness/platform.ts'
import { until } from './harness/wait.ts'

// What a handler may do wrong ends what docs/functions.md says it ends, and never the platform.
const platform = new TestPlatform()
const work = mkdtempSync(join(tmpdir(), 'kaon-workers-'))

const misbehaving = `
import { writeSync } from 'node:fs'
export default async (event) => {
  switch (event.path) {
    case '/loop': for (;;) {}
    case '/never': return new Promise(() => {})
    case '/memory': { const kept = []; for (;;) kept.push(new Array(1e6).fill(event.id + kept.length)) }
    case '/exit': process.exit(3)
    case '/throw-later': setTimeout(() => { throw new Error('nobody catches this') }, 5); return new Promise(() => {})
    case '/reject': Promise.reject(new Error('nobody handles this')); return new Promise(() => {})
    case '/flood': for (let i = 0; i < 100_000; i++) console.log('flood ' + i); return 'flooded'
    case '/raw': writeSync(2, 'straight to the descriptor\\n'); return 'written'
    case '/huge': return { headers: { 'x-bad': 'a\\nb' }, body: 'x' }
    case '/circle': { const a = {}; a.a = a; return a }
    case '/status': return { status: 99, body: '' }
    case '/slow': await new Promise((r) => setTimeout(r, 1500)); return 'slow but sure'
    case '/error': throw new Error('the secret is 12345678')
    default: return 'fine ' + process.pid
  }
}
`
const manifest = (name: string, isolation: string, workers: number) => `
apiVersion: kaon.dev/v1
kind: Function
metadata: { name: ${name} }
spec:
  handler: handler.mjs
  source: { inline: ${JSON.stringify(misbehaving)} }
  isolation: ${isolation}
  workers: ${workers}
  timeout: 2s
  resources: { memory: 64Mi }
`

before(async () => {
  await platform.start()
  for (const [name, isolation, workers] of [
    ['threads', 'thread', 2],
    ['processes', 'process', 2],
    ['bystander', 'thread', 1],
  ] as const) {
    const file = join(work, `${name}.yaml`)
    writeFileSync(file, manifest(name, isolation, workers))
    await platform.must(['apply', '-f', file])
  }
  for (const name of ['threads', 'processes', 'bystander'])
    await platform.must(['wait', `function/${name}`, '--for=condition=Ready', '--timeout', '60s'])
})
after(() => platform[Symbol.asyncDispose]())

/** Calls while another function and this one's other worker must go on answering. */
async function others(name: string): Promise<void> {
  assert.match((await platform.call('bystander')).text, /^fine/)
  await until(`${name} to answer`, async () => (await platform.call(name)).text.startsWith('fine'), 15_000)
}

for (const name of ['threads', 'processes']) {
  test(`${name}: a handler in an endless loop is answered 504, its worker replaced, the other goes on`, async () => {
    const begin = performance.now()
    const stuck = platform.call(name, '/loop')
    const alive = await Promise.all(Array.from({ length: 6 }, () => platform.call(name, '/')))
    const answer = await stuck
    assert.equal(answer.status, 504)
    assert.equal(answer.json().code, 'handler_timeout')
    assert.ok(performance.now() - begin < 6000)
    assert.ok(alive.filter((a) => a.text.startsWith('fine')).length >= 3, alive.map((a) => a.text).join())
    await others(name)
    // The other worker answers at once; this one is ended a second after its deadline.
    await until('the log to say so', async () =>
      /timeout|blocked|loop/i.test((await platform.must(['logs', name, '--tail', '200'])).stdout),
    )
  })

  test(`${name}: a call that never answers is 504, and others in the same worker go on`, async () => {
    const never = platform.call(name, '/never')
    assert.match((await platform.call(name)).text, /^fine/)
    assert.equal((await never).status, 504)
    await others(name)
  })

  for (const [path, cause] of [
    ['/memory', 'memory'],
    ['/exit', 'exit'],
    ['/throw-later', 'nobody catches this'],
    ['/reject', 'nobody handles this'],
  ] as const) {
    test(`${name}: ${path} loses that worker's calls with 502 and nothing else`, async () => {
      const answer = await platform.call(name, path)
      assert.equal(answer.status, 502, answer.text)
      assert.equal(answer.json().code, 'worker_lost')
      await others(name)
      await until(`the log to name ${cause}`, async () => (await platform.must(['logs', name, '--tail', '400'])).stdout.includes(cause))
    })
  }

  test(`${name}: a flood of output delays nothing and is kept within bounds`, async () => {
    assert.equal((await platform.call(name, '/flood')).text, 'flooded')
    await others(name)
  })

  test(`${name}: an answer that cannot be sent is 502, and the caller learns nothing of the inside`, async () => {
    for (const path of ['/huge', '/circle', '/status']) {
      const answer = await platform.call(name, path)
      assert.equal(answer.status, 502, `${path}: ${answer.text}`)
      assert.equal(answer.json().code, 'response_invalid')
    }
    const failed = await platform.call(name, '/error')
    assert.equal(failed.status, 500)
    assert.equal(failed.json().code, 'handler_error')
    assert.doesNotMatch(failed.text, /12345678|handler\.mjs/)
    await until('the log to have it', async () =>
      /12345678[\s\S]*handler\.mjs:\d+/.test((await platform.must(['logs', name, '--tail', '400'])).stdout),
    )
  })
}

test('what is written straight to the descriptor reaches the log', async () => {
  assert.equal((await platform.call('threads', '/raw')).text, 'written')
  await until('the line', async () =>
    (await platform.must(['logs', 'threads', '--tail', '400'])).stdout.includes('straight to the descriptor'),
  )
})

test('an invocation in flight is finished by a replica that drains', async () => {
  const slow = platform.call('threads', '/slow')
  await new Promise((resolve) => setTimeout(resolve, 200))
  await platform.must(['deploy', '-f', join(work, 'threads.yaml'), '--env', 'CHANGED=1'])
  assert.equal((await slow).text, 'slow but sure')
})
