import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { FakeClock } from '../../base/fake-clock.ts'
import { createBundler } from './build-esbuild.ts'

function services(): number {
  const lines = execFileSync('ps', ['-A', '-o', 'ppid=,stat=,comm='], { encoding: 'utf8' }).split('\n')
  return lines.filter((line) => line.trim().startsWith(`${process.pid} `) && !/ Z/.test(line) && line.includes('esbuild')).length
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

test("esbuild's service stays between builds, ends half a minute after the last, and comes back", async () => {
  const clock = new FakeClock()
  const bundler = createBundler({ clock })
  const build = () => bundler.build({ stdin: { contents: 'export default 1' }, write: false, metafile: true })
  assert.equal(services(), 0)
  await build()
  await clock.advance(29_000)
  await build()
  await clock.advance(29_000)
  assert.equal(services(), 1)
  await clock.advance(1_000)
  await until('the service to end', () => services() === 0)
  assert.equal((await build()).errors.length, 0)
  await bundler[Symbol.asyncDispose]()
  await until('the service to end', () => services() === 0)
})
