import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { TestPlatform } from '../e2e/harness/platform.ts'
import { until } from '../e2e/harness/wait.ts'

test('with the control plane stopped, functions with a ready replica go on answering, and the replica outlives it', async () => {
  await using platform = await new TestPlatform().start()
  const file = join(mkdtempSync(join(tmpdir(), 'kaon-away-')), 'steady.js')
  writeFileSync(file, 'export default () => String(process.pid)\n')
  await platform.must(['deploy', file])
  const pid = (await platform.call('steady')).text
  const controlPlane = platform.file.controlPlanePid as number
  process.kill(controlPlane, 'SIGSTOP')
  try {
    for (let i = 0; i < 50; i++) assert.equal((await platform.call('steady')).text, pid)
    process.kill(platform.file.gatewayPid as number, 'SIGKILL')
    await until('the gateway to be back, from its table on disk', async () => (await platform.call('steady')).text === pid)
  } finally {
    process.kill(controlPlane, 'SIGCONT')
  }
  process.kill(controlPlane, 'SIGKILL')
  for (let i = 0; i < 20; i++) assert.equal((await platform.call('steady')).text, pid)
  await until(
    'the control plane to be back',
    async () => platform.file.controlPlanePid !== controlPlane && (await platform.api('/readyz')).status === 200,
  )
  await until('the replica to be adopted', async () => {
    const { status } = (await platform.api('/apis/kaon.dev/v1/namespaces/default/functions/steady')).json<{
      status: { replicas: number }
    }>()
    return status.replicas === 1
  })
  assert.equal((await platform.call('steady')).text, pid, 'the replica was replaced')
})

test('after kill -9 of the launcher its children end, and the next start adopts the replicas', async () => {
  const platform = await new TestPlatform().start()
  await using _ = platform
  const file = join(mkdtempSync(join(tmpdir(), 'kaon-launcher-')), 'kept.js')
  writeFileSync(file, 'export default () => String(process.pid)\n')
  await platform.must(['deploy', file])
  const pid = (await platform.call('kept')).text
  const { controlPlanePid, gatewayPid } = platform.file
  platform.launcher.kill('SIGKILL')
  for (const child of [controlPlanePid, gatewayPid]) {
    await until(`process ${child} to end`, () => {
      try {
        return !process.kill(child as number, 0)
      } catch {
        return true
      }
    })
  }
  await platform.start()
  await until('the old replica to answer', async () => (await platform.call('kept')).text === pid)
})

test('kaon stop leaves no process and no socket behind', async () => {
  const platform = await new TestPlatform(['--samples']).start()
  await using _ = platform
  await until('the samples to be deployed', () => platform.output.includes('curl '), 60_000)
  assert.equal(await platform.stop(), 0)
  await until('every process to be gone', () => platform.leftovers().length === 0, 10_000).catch(() =>
    assert.deepEqual(platform.leftovers(), []),
  )
})
