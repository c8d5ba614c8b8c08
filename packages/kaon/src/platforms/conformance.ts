import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { LogRecord } from '../model/log-record.ts'
import type { ObservedReplica, Platform, WantedReplicas } from './platform.ts'

export type WantedOptions = { revision: string; count: number; configVersion?: string /** Its start fails. */; isBroken?: boolean }

export type PlatformRig = AsyncDisposable & {
  platform: Platform
  /** What asks for replicas of a revision of the function `hello` in the namespace `default`, whose start logs `started`. */
  wanted(options: WantedOptions): WantedReplicas
}

/** What every platform must do. `open` gives a fresh one. */
export function testPlatform(name: string, open: () => Promise<PlatformRig>): void {
  const check = (title: string, body: (rig: PlatformRig, t: TestContext) => Promise<void>) =>
    test(`${name}: ${title}`, async (t) => {
      await using rig = await open()
      await body(rig, t)
    })

  check('as many replicas become ready as are wanted, and asking again starts no more', async ({ platform, wanted }) => {
    platform.ensure(wanted({ revision: 'hello-00001', count: 2 }))
    platform.ensure(wanted({ revision: 'hello-00001', count: 2 }))
    await replicas(platform, (all) => all.length === 2 && all.every(({ phase }) => phase === 'ready'))
    platform.ensure(wanted({ revision: 'hello-00001', count: 2 }))
    const all = platform.replicas()
    assert.equal(new Set(all.map(({ id }) => id)).size, 2)
    for (const { revision, restarts, link } of all) {
      assert.equal(revision?.name, 'hello-00001')
      assert.equal(restarts, 0)
      assert.ok(link, 'a ready replica says where gateways reach it')
    }
  })

  check('those too many go, the oldest stays, and zero ends them all', async ({ platform, wanted }) => {
    platform.ensure(wanted({ revision: 'hello-00001', count: 1 }))
    const [oldest] = await replicas(platform, (all) => all.length === 1 && all[0]?.phase === 'ready')
    platform.ensure(wanted({ revision: 'hello-00001', count: 3 }))
    await replicas(platform, (all) => all.filter(({ phase }) => phase === 'ready').length === 3)
    platform.ensure(wanted({ revision: 'hello-00001', count: 1 }))
    const left = await replicas(platform, (all) => all.length === 1)
    assert.equal(left[0]?.id, oldest?.id)
    platform.ensure(wanted({ revision: 'hello-00001', count: 0 }))
    await replicas(platform, (all) => all.length === 0)
  })

  check('another configuration replaces the replica, and one is ready all the while', async ({ platform, wanted }) => {
    platform.ensure(wanted({ revision: 'hello-00001', count: 1, configVersion: 'a' }))
    await replicas(platform, (all) => all[0]?.phase === 'ready')
    let leastReady = 1
    platform.onChange(() => {
      leastReady = Math.min(leastReady, platform.replicas().filter(({ phase }) => phase === 'ready').length)
    })
    platform.ensure(wanted({ revision: 'hello-00001', count: 1, configVersion: 'b' }))
    await replicas(platform, (all) => all.length === 1 && all[0]?.configVersion === 'b' && all[0].phase === 'ready')
    assert.equal(leastReady, 1)
  })

  check('a start that fails is shown with its reason, is tried again, and touches no other revision', async ({ platform, wanted }) => {
    platform.ensure(wanted({ revision: 'hello-00001', count: 1 }))
    await replicas(platform, (all) => all[0]?.phase === 'ready')
    platform.ensure(wanted({ revision: 'hello-00002', count: 1, isBroken: true }))
    const all = await replicas(platform, (list) => list.some(({ phase, restarts }) => phase === 'failed' && restarts > 0))
    const failed = all.find(({ phase }) => phase === 'failed')
    assert.equal(failed?.revision?.name, 'hello-00002')
    assert.ok(failed.failure?.code && failed.failure.message)
    assert.equal(all.find(({ revision }) => revision?.name === 'hello-00001')?.phase, 'ready')
    platform.ensure(wanted({ revision: 'hello-00002', count: 0 }))
    await replicas(platform, (list) => list.every(({ revision }) => revision?.name === 'hello-00001'))
  })

  check('a function’s log is read, followed, and gone with the function', async ({ platform, wanted }) => {
    const stop = new AbortController()
    const query = { namespace: 'default', function: 'hello', signal: stop.signal }
    const followed: LogRecord[] = []
    const following = (async () => {
      for await (const record of platform.logs({ ...query, follow: true })) {
        followed.push(record)
        if (record.msg === 'started') break
      }
    })()
    platform.ensure(wanted({ revision: 'hello-00001', count: 1 }))
    await replicas(platform, (all) => all[0]?.phase === 'ready')
    await following
    const past = async () => Array.fromAsync(platform.logs({ ...query, follow: false }))
    assert.deepEqual(
      (await past()).filter(({ msg }) => msg === 'started').map(({ revision }) => revision),
      ['hello-00001'],
    )
    assert.deepEqual(await Array.fromAsync(platform.logs({ ...query, follow: false, revision: 'hello-00002' })), [])
    await platform.forget('default', 'hello')
    assert.deepEqual(platform.replicas(), [])
    assert.deepEqual(await past(), [])
  })
}

/** Waits, at most 15 s, for the replicas to be as `isThere` says. */
export async function replicas(
  platform: Platform,
  isThere: (all: readonly ObservedReplica[]) => boolean,
): Promise<readonly ObservedReplica[]> {
  const deadline = performance.now() + 15_000
  while (!isThere(platform.replicas())) {
    if (performance.now() > deadline)
      assert.fail(`The replicas did not come to what was waited for: ${JSON.stringify(platform.replicas(), null, 2)}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return platform.replicas()
}
