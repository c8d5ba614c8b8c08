import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../base/fake-clock.ts'
import { watchSilence } from './silence-check.ts'

test('silence that fell together with a pause of this process is excused; silence while it ran is not', () => {
  let now = 0
  let look = () => {}
  const calls: string[] = []
  const clock = {
    monotonic: () => now,
    every(_periodMs: number, action: () => void) {
      look = action
      return { cancel() {} }
    },
  }
  const replica = { endIfSilent: (maxMs: number) => calls.push(`ends after ${maxMs}`), excuseSilence: () => calls.push('excused') }
  watchSilence({ clock, replicas: () => [replica, replica] })
  for (const at of [1_000, 2_500, 3_600_000, 3_601_000]) {
    now = at
    look()
  }
  const each = ['ends after 10000', 'ends after 10000', 'excused', 'ends after 10000']
  assert.deepEqual(
    calls,
    each.flatMap((call) => [call, call]),
  )
})

test('it looks often enough to notice within a tenth of the time', async () => {
  const clock = new FakeClock()
  let looks = 0
  const check = watchSilence({ clock, replicas: () => [{ endIfSilent: () => looks++, excuseSilence() {} }], silenceMs: 5_000 })
  await clock.advance(5_000)
  check.cancel()
  await clock.advance(5_000)
  assert.equal(looks, 10)
})
