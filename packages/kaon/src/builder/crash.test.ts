import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createSystem } from '../app/system.ts'
import type { Log } from '../base/log.ts'
import { createBuilder } from './create-builder.ts'

const kills = 6
const root = await mkdtemp(join(tmpdir(), 'kaon-crash-'))
after(() => rm(root, { recursive: true, force: true }))
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet }
const folders = { artifacts: join(root, 'artifacts'), work: join(root, 'work'), cache: join(root, 'cache') }

/** Builds one function after the other and prints the digest of each that it was given. */
const program = (round: number) => `
import { createSystem } from ${JSON.stringify(import.meta.resolve('../app/system.ts'))}
import { createRuntimes } from ${JSON.stringify(import.meta.resolve('../runtimes/index.ts'))}
import { createBuilder } from ${JSON.stringify(import.meta.resolve('./create-builder.ts'))}
const system = createSystem()
const runtimes = createRuntimes({ ...system, environment: {} })
const builder = createBuilder({ ...system, runtimes, blobs: {}, folders: ${JSON.stringify(folders)}, log: {}, environment: {} })
const build = { dependencies: 'auto', scripts: false, cache: true }
for (let i = 0; ; i++) {
  const spec = { runtime: 'node', handler: 'handler.ts', dialect: 'kaon', source: { inline: 'export default () => "${round}-' + i + '"' }, build }
  const { manifest } = await builder.build({ namespace: 'a', function: 'f', revision: 'f-00001', spec, log() {}, signal: new AbortController().signal })
  console.log(manifest.digest)
}`

/** The digests that were answered before the builder was killed, `delayMs` after its first. */
function buildUntilKilled(round: number, delayMs: number): Promise<string[]> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(round)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    if (text === '') setTimeout(() => child.kill('SIGKILL'), delayMs)
    text += chunk
  })
  return new Promise((resolve) => child.once('close', () => resolve(text.split('\n').slice(0, -1))))
}

test('a builder killed at any moment leaves whole artifacts only, and none that was answered is lost', async () => {
  const builder = createBuilder({
    ...createSystem(),
    runtimes: [],
    blobs: { get: async () => undefined },
    folders,
    log: quiet,
    environment: {},
  })
  const answered: string[] = []
  for (let round = 0; round < kills; round++) {
    answered.push(...(await buildUntilKilled(round, Math.random() * 60)))
    for (const name of await readdir(folders.artifacts)) assert.ok(await builder.find(`sha256:${name}`), name)
  }
  assert.ok(answered.length >= kills)
  for (const digest of answered) assert.ok(await builder.find(digest), digest)
  await builder.collect(new Set(answered))
  assert.deepEqual(await readdir(folders.work), [])
})
