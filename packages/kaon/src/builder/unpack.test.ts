import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { crc32, deflateRawSync, gzipSync } from 'node:zlib'
import { createSystem } from '../app/system.ts'
import { unpackArchive } from './unpack.ts'

const { files } = createSystem()
const root = await mkdtemp(join(tmpdir(), 'kaon-unpack-'))
after(() => rm(root, { recursive: true, force: true }))
let next = 0

/** Unpacks into a folder of its own and says what is in the folder above it, where nothing but that may be. */
async function unpack(archive: Buffer) {
  const base = join(root, String(next++))
  await mkdir(base)
  await writeFile(join(base, 'archive'), archive)
  const folder = join(base, 'inner', 'source')
  try {
    await unpackArchive(files, join(base, 'archive'), folder, new AbortController().signal)
  } finally {
    assert.deepEqual(
      (await readdir(base)).filter((name) => name !== 'inner'),
      ['archive'],
    )
    assert.deepEqual(
      (await readdir(join(base, 'inner')).catch(() => ['source'])).filter((name) => name !== 'source'),
      [],
    )
  }
  return folder
}

type TarEntry = { name: string; type?: string; body?: string | Buffer; link?: string; mode?: number }

function tarEntry({ name, type = '0', body = '', link = '', mode = 0o644 }: TarEntry): Buffer {
  const content = Buffer.from(body)
  const header = Buffer.alloc(512)
  header.write(name, 0, 100)
  header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100)
  header.write('0000000\x000000000\0', 108)
  header.write(`${content.length.toString(8).padStart(11, '0')}\x0000000000000\0`, 124)
  header.write('        ', 148)
  header.write(type, 156)
  header.write(link, 157, 100)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, content, Buffer.alloc(-content.length & 511)])
}

const tar = (...entries: TarEntry[]) => Buffer.concat([...entries.map(tarEntry), Buffer.alloc(1024)])

/** A name that does not fit into a header, or that a header cannot hold. */
function paxTar(name: string): Buffer {
  const text = ` path=${name}\n`
  let length = Buffer.byteLength(text)
  while (String(length).length + Buffer.byteLength(text) !== length) length = String(length).length + Buffer.byteLength(text)
  return tar({ name: 'pax', type: 'x', body: length + text }, { name: 'short', body: 'x' })
}

type ZipEntry = {
  name: string
  body?: string | Buffer
  mode?: number
  lie?: { size?: number; crc?: number; localName?: string; offset?: number; flags?: number }
}

function zip(...entries: ZipEntry[]): Buffer {
  const locals: Buffer[] = []
  const central: Buffer[] = []
  for (const { name, body = '', mode = 0o100644, lie = {} } of entries) {
    const content = Buffer.from(body)
    const packed = deflateRawSync(content)
    const offset = lie.offset ?? locals.reduce((sum, part) => sum + part.length, 0)
    const fields = Buffer.alloc(26)
    fields.writeUInt16LE(20, 0)
    fields.writeUInt16LE(lie.flags ?? 0x800, 2)
    fields.writeUInt16LE(8, 4)
    fields.writeUInt32LE(lie.crc ?? crc32(content), 10)
    fields.writeUInt32LE(packed.length, 14)
    fields.writeUInt32LE(lie.size ?? content.length, 18)
    const localFields = Buffer.from(fields)
    localFields.writeUInt16LE(Buffer.byteLength(lie.localName ?? name), 22)
    fields.writeUInt16LE(Buffer.byteLength(name), 22)
    locals.push(Buffer.concat([Buffer.from('PK\x03\x04'), localFields, Buffer.from(lie.localName ?? name), packed]))
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE((mode << 16) >>> 0, 6)
    tail.writeUInt32LE(offset, 10)
    central.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 3]), fields, tail, Buffer.from(name)]))
  }
  const [first, second] = [Buffer.concat(locals), Buffer.concat(central)]
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 0, 'latin1')
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(second.length, 12)
  end.writeUInt32LE(first.length, 16)
  return Buffer.concat([first, second, end])
}

test('a tar made by tar, plain and packed, unpacks to the same files, modes masked', async () => {
  const folder = join(root, 'made')
  await mkdir(join(folder, 'sub'), { recursive: true })
  await writeFile(join(folder, 'sub', 'é.txt'), 'content')
  await writeFile(join(folder, 'run.sh'), '#!/bin/sh\n', { mode: 0o4777 })
  execFileSync('ln', ['-s', 'sub/é.txt', join(folder, 'link')])
  for (const flag of ['-c', '-cz']) {
    const made = await unpack(execFileSync('tar', [flag, '-C', folder, '.']))
    assert.equal(await readFile(join(made, 'link'), 'utf8'), 'content')
    assert.equal(await readlink(join(made, 'link')), 'sub/é.txt')
    assert.equal((await lstat(join(made, 'run.sh'))).mode & 0o7777, 0o755)
    assert.equal((await lstat(join(made, 'sub', 'é.txt'))).mode & 0o7777, 0o644)
  }
})

test('a zip unpacks with its folders, links and modes', async () => {
  const made = await unpack(
    zip(
      { name: 'a/', mode: 0o040755 },
      { name: 'a/b.txt', body: 'hello '.repeat(1000) },
      { name: 'run', body: 'x', mode: 0o100777 },
      { name: 'link', body: 'a/b.txt', mode: 0o120777 },
      { name: 'empty' },
    ),
  )
  assert.equal(await readFile(join(made, 'link'), 'utf8'), 'hello '.repeat(1000))
  assert.equal((await lstat(join(made, 'run'))).mode & 0o777, 0o755)
  assert.equal((await lstat(join(made, 'empty'))).size, 0)
})

const hostile: [what: string, archive: () => Buffer, code: string, message: RegExp][] = [
  ['a path that climbs out', () => tar({ name: '../../escaped' }), 'archive_unsafe', /'\.\.\/\.\.\/escaped' leaves/],
  ['a climb in the middle', () => tar({ name: 'a/../../b' }), 'archive_unsafe', /leaves/],
  ['an absolute path', () => tar({ name: '/etc/cron.d/x' }), 'archive_unsafe', /absolute/],
  ['a drive letter', () => tar({ name: 'C:evil' }), 'archive_unsafe', /absolute/],
  ['a backslash', () => tar({ name: '..\\evil' }), 'archive_unsafe', /backslash/],
  ['a NUL', () => paxTar('good\0evil'), 'archive_unsafe', /NUL/],
  ['a link out', () => tar({ name: 'a', type: '2', link: '../x' }), 'archive_unsafe', /'a' is a symbolic link that leaves/],
  ['an absolute link', () => tar({ name: 'a', type: '2', link: '/etc/passwd' }), 'archive_unsafe', /absolute/],
  [
    'a link out by way of a link',
    () => tar({ name: 'd/up', type: '2', link: '..' }, { name: 'x', type: '2', link: 'd/up/../..' }),
    'archive_unsafe',
    /leaves/,
  ],
  [
    'a file through a link',
    () => tar({ name: 'a', type: '2', link: 'b' }, { name: 'a/evil', body: 'x' }),
    'archive_unsafe',
    /through a symbolic link/,
  ],
  ['a file over a link', () => tar({ name: 'a', type: '2', link: 'b' }, { name: 'a', body: 'x' }), 'archive_unsafe', /symbolic link/],
  ['a folder that becomes a link', () => tar({ name: 'a/b', body: 'x' }, { name: 'a', type: '2', link: '.' }), 'archive_unsafe', /twice/],
  ['a hard link', () => tar({ name: 'a', type: '1', link: '/etc/passwd' }), 'archive_unsafe', /hard link/],
  ['a device', () => tar({ name: 'a', type: '3' }), 'archive_unsafe', /character device/],
  ['a pipe', () => tar({ name: 'a', type: '6' }), 'archive_unsafe', /fifo/],
  ['the same file twice', () => tar({ name: 'a', body: '1' }, { name: './a', body: '2' }), 'archive_unsafe', /twice/],
  ['names alike but for case', () => tar({ name: 'A/x' }, { name: 'a/y' }), 'archive_unsafe', /spelling/],
  ['names alike but for composition', () => tar({ name: 'caf\u00e9' }, { name: 'cafe\u0301' }), 'archive_unsafe', /spelling/],
  ['a name that is no UTF-8', () => paxTar('\ufffd'), 'archive_unsafe', /UTF-8/],
  ['a path too long', () => paxTar('a/'.repeat(10) + 'x'.repeat(1100)), 'archive_unsafe', /1024 bytes/],
  ['folders too deep', () => paxTar(`${'d/'.repeat(70)}x`), 'archive_unsafe', /64 folders/],
  [
    'too many entries',
    () =>
      gzipSync(
        Buffer.concat([
          ...Array.from({ length: 20_001 }, (_, i) => tarEntry({ name: 'd/', type: '5', mode: 0o700 + (i & 7) })),
          Buffer.alloc(1024),
        ]),
        { level: 1 },
      ),
    'archive_too_large',
    /20000 entries/,
  ],
  ['a bomb of zeroes', () => gzipSync(tar({ name: 'zero', body: Buffer.alloc(40_000_000) })), 'archive_too_large', /100 times.*'zero'/],
  ['a zip bomb', () => zip({ name: 'zero', body: Buffer.alloc(40_000_000) }), 'archive_too_large', /100 times.*'zero'/],
  ['a tar cut off', () => tar({ name: 'a', body: 'x'.repeat(5000) }).subarray(0, 2000), 'archive_unsafe', /damaged/],
  ['a broken header', () => Buffer.alloc(2048, 'x'), 'archive_unsafe', /damaged/],
  ['a gzip cut off', () => gzipSync(tar({ name: 'a', body: 'x' })).subarray(0, 40), 'archive_unsafe', /damaged/],
  ['nothing', () => Buffer.alloc(0), 'source_missing', /empty/],
  ['a zip that climbs out', () => zip({ name: '../evil', body: 'x' }), 'archive_unsafe', /leaves/],
  ['a zip with a link out', () => zip({ name: 'l', body: '../../x', mode: 0o120777 }), 'archive_unsafe', /leaves/],
  ['a zip with a device', () => zip({ name: 'dev', mode: 0o020666 }), 'archive_unsafe', /special file/],
  [
    'a zip with two names for one entry',
    () => zip({ name: 'good', body: 'x', lie: { localName: 'evil' } }),
    'archive_unsafe',
    /headers of 'good' differ/,
  ],
  [
    'a zip that says too small a size',
    () => zip({ name: 'a', body: 'x'.repeat(100), lie: { size: 10 } }),
    'archive_unsafe',
    /larger than it says/,
  ],
  ['a zip with a wrong checksum', () => zip({ name: 'a', body: 'x', lie: { crc: 1 } }), 'archive_unsafe', /checksum/],
  [
    'a zip whose entries overlap',
    () => zip({ name: 'a', body: 'x' }, { name: 'a', body: 'x', lie: { offset: 0 } }),
    'archive_unsafe',
    /overlap/,
  ],
  ['an encrypted zip', () => zip({ name: 'a', body: 'x', lie: { flags: 1 } }), 'archive_unsafe', /encrypted/],
  ['a zip without its directory', () => zip({ name: 'a', body: 'x' }).subarray(0, -30), 'archive_unsafe', /directory/],
]

for (const [what, archive, code, message] of hostile) {
  test(`an archive with ${what} is refused and leaves nothing outside`, async () => {
    await assert.rejects(unpack(archive()), { code, message })
  })
}
