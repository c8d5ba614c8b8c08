import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { configMap, configMapKey } from './conformance.ts'
import { openSqliteStore } from './sqlite.ts'
import type { Store } from './store.ts'

// This file is also the program that runs on a small disk of its own: a file system in memory, which it alone sees.
const { clock } = createSystem()
const [, , role, disk] = process.argv
if (role === 'on-small-disk') await lifeOnFullDisk(disk!)
else defineTests()

async function lifeOnFullDisk(folder: string): Promise<void> {
  const told: (string | undefined)[] = []
  const open = (name: string) => openSqliteStore({ file: join(folder, name), clock, onWritable: (refusal) => told.push(refusal?.code) })
  const create = (store: Store, name: string, value = 'x') =>
    store.write({ kind: 'create', key: configMapKey(name), object: configMap(name, value) })
  const first = await open('store.sqlite')
  const kept = await create(first, 'kept', 'x'.repeat(100_000))
  // What a kill leaves: everything is in the log, which takes room to be copied into the database.
  for (const suffix of ['', '-wal']) copyFileSync(join(folder, `store.sqlite${suffix}`), join(folder, `killed.sqlite${suffix}`))
  const filler = join(folder, 'filler')
  fill(filler)
  await assert.rejects(
    async () => {
      for (let i = 0; i < 100; i++) await create(first, `more-${i}`)
    },
    { code: 'data_full' },
  )
  assert.deepEqual(told, ['data_full'])
  await first[Symbol.asyncDispose]()
  fill(filler)

  told.length = 0
  const second = await open('killed.sqlite')
  assert.deepEqual(await second.get(configMapKey('kept')), kept)
  assert.deepEqual(told, ['data_full'])
  await assert.rejects(create(second, 'refused'), { code: 'data_full' })
  rmSync(filler)
  for (const deadline = clock.now() + 5000; told.length < 2 && clock.now() < deadline; ) await clock.sleep(10)
  assert.deepEqual(told, ['data_full', undefined])
  await create(second, 'taken')
  await second[Symbol.asyncDispose]()
}

/** Leaves no room at all. */
function fill(file: string): void {
  for (const block of [65_536, 4096])
    try {
      for (;;) writeFileSync(file, Buffer.alloc(block), { flag: 'a' })
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
    }
}

function defineTests(): void {
  const unshare = ['--user', '--map-root-user', '--mount']
  const mount = 'mount -t tmpfs -o size=2m tmpfs "$1"'
  const canMount = () => {
    const folder = mkdtempSync(join(tmpdir(), 'kaon-mount-'))
    const { status } = spawnSync('unshare', [...unshare, 'sh', '-c', mount, 'sh', folder])
    rmSync(folder, { recursive: true })
    return status === 0
  }
  const skip = process.env.KAON_TEST_REQUIRE === 'all' || canMount() ? false : 'needs unshare, which Linux has where users may use it'
  test('on a full disk a store is opened for reading, says that it refuses writes, and takes them once there is room', { skip }, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'kaon-full-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const run = `${mount} && exec "$2" "$3" on-small-disk "$1"`
    execFileSync('unshare', [...unshare, 'sh', '-c', run, 'sh', folder, process.execPath, import.meta.filename], { stdio: 'pipe' })
  })
}
