import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { configMap, configMapKey, takeEvents } from './conformance.ts'
import { openSqliteStore } from './sqlite.ts'
import type { Store } from './store.ts'

// This file is also the program that the tests kill: eight loops that write, and print each answer once they have it.
const { clock, random } = createSystem()
const [, , role, writerFile] = process.argv
if (role === 'writer') await writeForever(await openSqliteStore({ file: writerFile!, clock }))
else defineTests()

type Line = { name: string; version: string } | { refused: string }

async function writeForever(store: Store): Promise<void> {
  const say = (line: Line) => writeSync(1, `${JSON.stringify(line)}\n`)
  const loop = async () => {
    for (;;) {
      const name = random.uuid()
      try {
        const made = await store.write({ kind: 'create', key: configMapKey(name), object: configMap(name, 'one') })
        say({ name, version: made.metadata.resourceVersion })
        const expected = made.metadata.resourceVersion
        const changed = await store.write({ kind: 'update', key: configMapKey(name), object: configMap(name, 'two'), expected })
        say({ name, version: changed.metadata.resourceVersion })
      } catch (error) {
        say({ refused: (error as { code: string }).code })
        await clock.sleep(20)
      }
    }
  }
  await Promise.all(Array.from({ length: 8 }, loop))
}

function startWriter(file: string, softLimitBlocks?: number): ChildProcess {
  const command = [process.execPath, import.meta.filename, 'writer', file]
  if (softLimitBlocks === undefined) return spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
  const limited = `ulimit -S -f ${softLimitBlocks}; exec "$0" "$@"`
  return spawn('sh', ['-c', limited, ...command], { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** Reads the writer's lines until `isEnough`, then kills it with -9; the lines that it still managed to print count. */
async function readThenKill(child: ChildProcess, isEnough: (line: Line) => boolean): Promise<Line[]> {
  const lines: Line[] = []
  const stuck = setTimeout(() => child.kill('SIGKILL'), 20_000)
  for await (const text of createInterface({ input: child.stdout! })) {
    const line = JSON.parse(text) as Line
    lines.push(line)
    if (isEnough(line)) child.kill('SIGKILL')
  }
  clearTimeout(stuck)
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return lines
}

function temporaryFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'kaon-crash-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return join(folder, 'store.sqlite')
}

/** Every answered write must be there: the object at the version answered last, or at a later one that was on its way. */
async function assertKept(store: Store, lines: readonly Line[]): Promise<void> {
  const answered = lines.filter((line) => 'version' in line)
  const { items } = await store.list({ resource: 'configmaps' })
  const versions = new Map(items.map((item) => [item.metadata.name, Number(item.metadata.resourceVersion)]))
  const lost = answered.filter(({ name, version }) => (versions.get(name) ?? 0) < Number(version))
  assert.deepEqual(lost, [])
  assert.equal(new Set(answered.map(({ version }) => version)).size, answered.length, 'no resourceVersion is given out twice')
}

function defineTests(): void {
  test('after ten kills with -9 every acknowledged write is there, and no resourceVersion was used twice', async (t) => {
    const file = temporaryFile(t)
    const lines: Line[] = []
    for (let kill = 0; kill < 10; kill++) {
      let left = 1 + Math.floor(random.fraction() * 150)
      lines.push(...(await readThenKill(startWriter(file), () => --left === 0)))
    }
    const store = await openSqliteStore({ file, clock })
    await assertKept(store, lines)
    assert.ok(lines.length >= 10)
    const { resourceVersion } = await store.list({ resource: 'configmaps' })
    const events = await takeEvents(store, Number(resourceVersion), { after: '0' })
    assert.deepEqual(
      events.map((event) => Number(event.resourceVersion)),
      Array.from(events, (_, i) => i + 1),
      'the history has no gap',
    )
    await store[Symbol.asyncDispose]()
  })

  const prlimit = '/usr/bin/prlimit'
  const skip = existsSync(prlimit) || process.env.KAON_TEST_REQUIRE === 'all' ? false : 'needs prlimit, which Linux has'
  test('when the disk fails, writes are refused until it is well again, and nothing acknowledged is lost', { skip }, async (t) => {
    const file = temporaryFile(t)
    // A limit on file sizes (in blocks of 512 bytes) makes SQLite's writes fail as a broken disk does.
    const child = startWriter(file, 600)
    let refusals = 0
    let answersAfter = 0
    const lines = await readThenKill(child, (line) => {
      if ('refused' in line && ++refusals === 20) execFileSync(prlimit, ['--pid', String(child.pid), '--fsize=unlimited'])
      if ('version' in line && refusals >= 20) answersAfter++
      return answersAfter === 200
    })
    assert.ok(refusals >= 20)
    assert.equal(
      lines.find((line) => 'refused' in line && line.refused !== 'store_unavailable'),
      undefined,
    )
    assert.ok(answersAfter >= 200, `only ${answersAfter} writes were answered after the disk was well again`)
    const store = await openSqliteStore({ file, clock })
    await assertKept(store, lines)
    await store[Symbol.asyncDispose]()
  })
}
