import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { unpackTar } from 'modern-tar'
import { createSystem } from '../../app/system.ts'
import { temporaryFolder } from '../test-cli.ts'
import { type Archive, packFile, packFolder } from './archive.ts'
import { parseIgnoreRules } from './ignore-rules.ts'

const { files } = createSystem()

async function contents({ body }: Archive): Promise<Record<string, string>> {
  const tar = body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body
  const entries = await unpackTar(tar)
  return Object.fromEntries(entries.map(({ header, data }) => [header.name, Buffer.from(data ?? []).toString('utf8')]))
}

test('a folder is packed without what is ignored, and the same files make the same bytes', async (t) => {
  const folder = await temporaryFolder(t)
  for (const name of ['src', 'node_modules/x', '.git']) mkdirSync(`${folder}/${name}`, { recursive: true })
  const texts = {
    'handler.ts': 'h',
    'src/a.ts': 'a',
    'src/big.log': 'l',
    'node_modules/x/i.js': 'n',
    '.git/HEAD': 'g',
    '.env': 'SECRET=1',
    'package-lock.json': '{}',
  }
  for (const [name, text] of Object.entries(texts)) writeFileSync(`${folder}/${name}`, text)
  writeFileSync(`${folder}/.kaonignore`, '# logs\n*.log\n')
  const first = await packFolder(files, folder)
  assert.deepEqual(await contents(first), { 'handler.ts': 'h', 'package-lock.json': '{}', 'src/a.ts': 'a' })
  utimesSync(`${folder}/handler.ts`, 1, 1)
  assert.equal((await packFolder(files, folder)).digest, first.digest)
  chmodSync(`${folder}/handler.ts`, 0o755)
  assert.notEqual((await packFolder(files, folder)).digest, first.digest)
})

test('a single file is packed alone', async (t) => {
  const folder = await temporaryFolder(t)
  writeFileSync(`${folder}/hello.ts`, 'x')
  writeFileSync(`${folder}/other.ts`, 'y')
  assert.deepEqual(await contents(await packFile(files, `${folder}/hello.ts`)), { 'hello.ts': 'x' })
})

test('a large source is compressed', async (t) => {
  const folder = await temporaryFolder(t)
  writeFileSync(`${folder}/data.txt`, 'abc'.repeat(200_000))
  const archive = await packFolder(files, folder)
  assert.ok(archive.body.length < 10_000)
  assert.equal((await contents(archive))['data.txt']?.length, 600_000)
})

test('a link within the folder is followed; one that leads out, nowhere or in a circle is refused', async (t) => {
  const folder = await temporaryFolder(t)
  mkdirSync(`${folder}/in/deep`, { recursive: true })
  writeFileSync(`${folder}/in/real.txt`, 'real')
  symlinkSync('in/real.txt', `${folder}/link.txt`)
  assert.equal((await contents(await packFolder(files, folder)))['link.txt'], 'real')
  for (const target of ['/etc/hostname', '../..', 'missing']) {
    const bad = await temporaryFolder(t)
    symlinkSync(target, `${bad}/bad`)
    await assert.rejects(packFolder(files, bad), { code: 'archive_unsafe' }, target)
  }
  symlinkSync('..', `${folder}/in/deep/up`)
  await assert.rejects(packFolder(files, folder), { code: 'archive_unsafe' })
})

test('more than 100 MB is refused before it is read', async (t) => {
  const folder = await temporaryFolder(t)
  const file = await files.open(`${folder}/huge.bin`, 'w')
  await file.truncate(100_000_001)
  await file.close()
  await assert.rejects(
    packFolder(files, folder),
    (error: Error & { code: string }) => error.code === 'archive_too_large' && error.message.includes("'huge.bin'"),
  )
})

test('ignore rules speak the language of .gitignore', () => {
  const cases: [string[], string, boolean, boolean][] = [
    [['*.log'], 'a/b.log', false, true],
    [['/build'], 'build', true, true],
    [['/build'], 'a/build', true, false],
    [['build/'], 'build', false, false],
    [['build/'], 'a/build', true, true],
    [['a/*.ts'], 'a/b.ts', false, true],
    [['a/*.ts'], 'a/b/c.ts', false, false],
    [['a/**/c.ts'], 'a/b/x/c.ts', false, true],
    [['a/**/c.ts'], 'a/c.ts', false, true],
    [['**/tmp'], 'x/tmp', true, true],
    [['*.ts', '!keep.ts'], 'keep.ts', false, false],
    [['# comment', '', '\\#file'], '#file', false, true],
    [['file?.[ab]'], 'file1.b', false, true],
    [['file?.[!ab]'], 'file1.b', false, false],
    [['a.b'], 'axb', false, false],
    [['(x|y)+'], 'x', false, false],
  ]
  for (const [rules, path, isFolder, expected] of cases) assert.equal(parseIgnoreRules(rules)(path, isFolder), expected, `${rules} ${path}`)
})
