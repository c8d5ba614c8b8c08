import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../base/fake-clock.ts'
import { createRedeployer } from './redeployer.ts'

function setUp() {
  const clock = new FakeClock()
  const deploys: { signal: AbortSignal; end: () => void }[] = []
  const redeployer = createRedeployer(clock, (signal) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    deploys.push({ signal, end: resolve })
    return promise
  })
  return { clock, deploys, redeployer }
}

test('the several writes of one save are one deploy', async () => {
  const { clock, deploys, redeployer } = setUp()
  redeployer.changed()
  await clock.advance(10)
  redeployer.changed()
  await clock.advance(19)
  assert.equal(deploys.length, 0)
  await clock.advance(1)
  assert.equal(deploys.length, 1)
})

test('a save during a deploy ends its waiting and deploys once more', async () => {
  const { clock, deploys, redeployer } = setUp()
  redeployer.now()
  redeployer.changed()
  await clock.advance(20)
  assert.equal(deploys.length, 1)
  assert.equal(deploys[0]?.signal.aborted, true)
  redeployer.changed()
  await clock.advance(20)
  deploys[0]?.end()
  await clock.advance(0)
  assert.equal(deploys.length, 2)
  assert.equal(deploys[1]?.signal.aborted, false)
})

test('after the stop nothing is deployed any more', async () => {
  const { clock, deploys, redeployer } = setUp()
  redeployer.changed()
  await redeployer.stop()
  await clock.advance(1000)
  redeployer.now()
  assert.equal(deploys.length, 0)
})
