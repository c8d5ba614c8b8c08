import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Files } from '../base/system.ts'
import { type PlatformConfig, readConfig } from './config.ts'
import { openDataFolder, placesOf } from './data-folder.ts'
import { createSystem } from './system.ts'

const system = createSystem()

async function configFor(t: TestContext, below = 'data'): Promise<PlatformConfig> {
  const folder = mkdtempSync(join(tmpdir(), 'kaon-data-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return readConfig({ flags: { data: join(folder, below) }, environment: { HOME: folder }, files: system.files, workingFolder: '/' })
}

/** The real files, with one call that a disk refuses. */
function refusing(name: 'writeFile' | 'mkdir', code: string): Files {
  const refuse = async () => {
    throw Object.assign(new Error(code), { code })
  }
  return { ...system.files, [name]: refuse }
}

test('the folder is laid out for its owner alone, and opened again as it is', async (t) => {
  const config = await configFor(t)
  const lock = await openDataFolder(config, system)
  const { salt } = placesOf(config)
  const first = readFileSync(salt)
  assert.equal(first.length, 32)
  assert.equal(readFileSync(join(config.dataFolder, 'version'), 'utf8'), '1\n')
  for (const path of [config.dataFolder, config.runFolder, join(config.dataFolder, 'store')])
    assert.equal(statSync(path).mode & 0o777, 0o700, path)
  assert.equal(statSync(salt).mode & 0o777, 0o600)
  lock.release()
  const again = await openDataFolder(config, system)
  assert.deepEqual(readFileSync(salt), first)
  again.release()
})

test('a second platform is refused until the first lets go', async (t) => {
  const config = await configFor(t)
  const lock = await openDataFolder(config, system)
  writeFileSync(placesOf(config).platformFile, JSON.stringify({ pid: 4711, apiUrl: '' }))
  await assert.rejects(openDataFolder(config, system), { code: 'data_locked', message: /process 4711/, hint: /kaon stop/ })
  lock.release()
  ;(await openDataFolder(config, system)).release()
})

test('a folder of a newer version is left alone', async (t) => {
  const config = await configFor(t)
  ;(await openDataFolder(config, system)).release()
  writeFileSync(join(config.dataFolder, 'version'), '2\n')
  await assert.rejects(openDataFolder(config, system), { code: 'data_newer', message: /version 2; this Kaon knows version 1/ })
  assert.equal(readFileSync(join(config.dataFolder, 'version'), 'utf8'), '2\n')
})

test('a file where the folder should be is told as such', async (t) => {
  const config = await configFor(t, 'file/data')
  writeFileSync(join(config.dataFolder, '..'), 'x')
  await assert.rejects(openDataFolder(config, system), { code: 'data_read_only', message: /cannot be written \(ENOTDIR\)/ })
})

test('a disk that takes no more, or nothing at all, is one clear error, and the lock is free afterwards', async (t) => {
  const config = await configFor(t)
  await assert.rejects(openDataFolder(config, { ...system, files: refusing('writeFile', 'ENOSPC') }), {
    code: 'data_full',
    hint: /Free some space/,
  })
  await assert.rejects(openDataFolder(config, { ...system, files: refusing('writeFile', 'EROFS') }), {
    code: 'data_read_only',
    message: /EROFS/,
  })
  await assert.rejects(openDataFolder(config, { ...system, files: refusing('mkdir', 'EACCES') }), {
    code: 'data_read_only',
    hint: /--data/,
  })
  ;(await openDataFolder(config, system)).release()
  assert.ok(existsSync(join(config.dataFolder, 'version')))
})
