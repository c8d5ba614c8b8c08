import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { seededRandom } from '../../packages/kaon/src/base/fake-clock.ts'
import type { Random } from '../../packages/kaon/src/base/system.ts'
import { TestPlatform } from '../e2e/harness/platform.ts'
import { until } from '../e2e/harness/wait.ts'
import { type Kill, Ledger } from './ledger.ts'

const kills = process.env.KAON_TEST_LONG ? 300 : 50
const seed = Number(process.env.KAON_TEST_SEED ?? 20261121)
/** A killed part is back within this; a call that fails later than that has no excuse. */
const healMs = 8_000
const functions = ['first', 'second', 'third']

test(`${kills} kills at random moments lose no acknowledged deploy, fail only calls that had a reason, and heal (seed ${seed})`, {
  timeout: 600_000,
}, async (t) => {
  const random = seededRandom(seed)
  const ledger = new Ledger()
  await using platform = await new TestPlatform().start()
  const folder = mkdtempSync(join(tmpdir(), 'kaon-kills-'))
  for (const name of functions) {
    writeFileSync(
      join(folder, `${name}.js`),
      `export default async () => { await new Promise((r) => setTimeout(r, 2)); return ${JSON.stringify(name)} }\n`,
    )
    await platform.must(['deploy', join(folder, `${name}.js`)])
  }
  const stop = new AbortController()
  const work = Promise.all([
    ...functions.flatMap((name) => [caller(platform, ledger, name, stop.signal), caller(platform, ledger, name, stop.signal)]),
    deployer(platform, ledger, stop.signal),
  ])

  try {
    for (let i = 0; i < kills; i++) await killOne(platform, ledger, random)
    await until(
      'every function to answer again',
      async () => (await Promise.all(functions.map((name) => platform.call(name)))).every((answer, i) => answer.text === functions[i]),
      30_000,
    )
  } catch (error) {
    throw new Error(
      `${(error as Error).message}\n${ledger.kills.length} kills so far; the platform said:\n${platform.output.slice(-3000)}`,
      { cause: error },
    )
  } finally {
    stop.abort()
    await work
  }

  const causes = ledger.explain(healMs)
  const tally = Object.entries(Object.groupBy(causes, (cause) => cause)).map(([cause, all]) => `${all?.length} × ${cause}`)
  t.diagnostic(`${ledger.calls.length} calls, ${causes.length} failed, each with its cause: ${tally.join('; ') || 'none'}`)
  t.diagnostic(`${ledger.acknowledged.length} changes acknowledged, ${ledger.unknown.length} unanswered`)
  assert.ok(ledger.calls.length - causes.length > kills * 10, 'too few calls were answered for this to mean anything')
  assert.ok(ledger.acknowledged.length > kills / 5, 'too few changes were acknowledged for this to mean anything')
  await audit(platform, ledger)
  await until(
    'one replica of each function, and one in the pool',
    async () => {
      const wanted = await statusReplicas(platform)
      return wanted.ready === wanted.functions && replicas(platform).length <= wanted.functions + 1
    },
    30_000,
  )
})

/** Waits a moment, kills one part with -9, and records it. */
async function killOne(platform: TestPlatform, ledger: Ledger, random: Random): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50 + random.fraction() * 700))
  const target = (['control plane', 'gateway', 'replica'] as const)[Math.floor(random.fraction() * 3)] as Kill['target']
  const victim = await until(`a ${target} to kill`, () => find(platform, target, random.fraction()), healMs)
  ledger.kills.push({
    at: performance.now(),
    target,
    pid: victim.pid,
    ...(victim.function === undefined ? {} : { function: victim.function }),
  })
  try {
    process.kill(victim.pid, 'SIGKILL')
  } catch {
    // It ended on its own just now, as one that drains may.
  }
}

/** Calls one function over and over and records each outcome. */
async function caller(platform: TestPlatform, ledger: Ledger, name: string, signal: AbortSignal): Promise<void> {
  let agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  while (!signal.aborted) {
    const from = performance.now()
    try {
      const answer = await platform.call(name, '/', { agent, timeoutMs: 40_000 })
      const right = answer.status === 200 && answer.text === name
      ledger.calls.push({
        function: name,
        from,
        to: performance.now(),
        outcome: right ? 'answered' : 'failed',
        detail: right ? '' : `${answer.status} ${answer.json().code}`,
      })
    } catch (error) {
      ledger.calls.push({
        function: name,
        from,
        to: performance.now(),
        outcome: 'failed',
        detail: (error as NodeJS.ErrnoException).code ?? (error as Error).message,
      })
      agent.destroy()
      agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  agent.destroy()
}

/** Writes new functions and changes config maps, and records what was acknowledged. */
async function deployer(platform: TestPlatform, ledger: Ledger, signal: AbortSignal): Promise<void> {
  const base = '/api/v1/namespaces/default/configmaps'
  const headers = { 'content-type': 'application/json' }
  for (let value = 1; !signal.aborted; value++) {
    const name = `ledger-${value % 5}`
    const isFunction = value % 10 === 0
    const object = isFunction ? `deployed-${value}` : name
    try {
      const body = isFunction
        ? {
            apiVersion: 'kaon.dev/v1',
            kind: 'Function',
            metadata: { name: object },
            spec: { handler: 'handler.js', source: { inline: `export default () => '${value}'` }, scale: { initial: 1 } },
          }
        : { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value: String(value) } }
      const path = isFunction ? '/apis/kaon.dev/v1/namespaces/default/functions' : base
      // Few functions, so that the machine is not busy with builds alone.
      if (isFunction && value > 120) continue
      const answer = await platform.api(path, { body: JSON.stringify(body), headers, timeoutMs: 5_000 })
      const done =
        answer.status === 409 && !isFunction
          ? await platform.api(`${base}/${name}`, {
              method: 'PATCH',
              body: JSON.stringify({ data: { value: String(value) } }),
              headers: { 'content-type': 'application/merge-patch+json' },
              timeoutMs: 5_000,
            })
          : answer
      if (done.status === 200 || done.status === 201)
        ledger.acknowledged.push({
          object,
          value,
          resourceVersion: done.json<{ metadata: { resourceVersion: string } }>().metadata.resourceVersion,
        })
      else ledger.unknown.push({ object, value })
    } catch {
      ledger.unknown.push({ object, value })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

/** Everything acknowledged is there, with a resourceVersion at or past the acknowledged one; the deployed functions answer. */
async function audit(platform: TestPlatform, ledger: Ledger): Promise<void> {
  await until('the API', async () => (await platform.api('/readyz')).status === 200)
  for (const [object, value] of ledger.least()) {
    if (object.startsWith('deployed-')) {
      await until(`${object} to answer`, async () => (await platform.call(object)).text === String(value), 30_000)
      continue
    }
    const stored = (await platform.api(`/api/v1/namespaces/default/configmaps/${object}`)).json<{ data: { value: string } }>()
    const possible = [value, ...ledger.unknown.filter((u) => u.object === object && u.value > value).map((u) => u.value)]
    assert.ok(possible.includes(Number(stored.data.value)), `${object} holds ${stored.data.value}, acknowledged was ${value}`)
  }
  const versions = ledger.acknowledged.map((change) => Number(change.resourceVersion))
  assert.deepEqual(
    versions,
    [...versions].sort((a, b) => a - b),
    'a resourceVersion went back',
  )
}

function replicas(platform: TestPlatform): { pid: number; function?: string }[] {
  const folder = join(platform.data, 'replicas')
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      try {
        const { pid, assigned } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { pid: number; assigned?: { function: string } }
        return [assigned === undefined ? { pid } : { pid, function: assigned.function }]
      } catch {
        return []
      }
    })
}

async function statusReplicas(platform: TestPlatform): Promise<{ functions: number; ready: number }> {
  const list = (await platform.api('/apis/kaon.dev/v1/namespaces/default/functions')).json<{
    items: { status?: { replicas?: number } }[]
  }>()
  return { functions: list.items.length, ready: list.items.reduce((sum, item) => sum + (item.status?.replicas ?? 0), 0) }
}

function find(platform: TestPlatform, target: Kill['target'], choice: number): { pid: number; function?: string } | undefined {
  const alive = (pid: number | undefined): boolean => {
    try {
      return pid !== undefined && process.kill(pid, 0)
    } catch {
      return false
    }
  }
  if (target === 'replica') {
    const candidates = replicas(platform).filter((r) => r.function !== undefined && functions.includes(r.function) && alive(r.pid))
    return candidates[Math.floor(choice * candidates.length)]
  }
  const pid = target === 'gateway' ? platform.file.gatewayPid : platform.file.controlPlanePid
  return alive(pid) ? { pid: pid as number } : undefined
}
