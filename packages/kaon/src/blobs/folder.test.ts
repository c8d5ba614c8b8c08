import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { createFolderBlobStore } from './folder.ts'

const root = await mkdtemp(join(tmpdir(), 'kaon-blobs-'))
after(() => rm(root, { recursive: true, force: true }))
let next = 0
const newStore = () => {
  const folder = join(root, String(next++))
  return { folder, store: createFolderBlobStore({ ...createSystem(), folder }) }
}

async function* chunks(...parts: string[]) {
  for (const part of parts) yield Buffer.from(part)
}
const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`

async function text(content: AsyncIterable<Uint8Array> | undefined): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of content ?? []) parts.push(part)
  return Buffer.concat(parts).toString()
}

test('what was put comes back by its digest', async () => {
  const { store } = newStore()
  assert.deepEqual(await store.put(chunks('hel', 'lo'), 100), { digest: digestOf('hello'), bytes: 5 })
  assert.equal(await text(await store.get(digestOf('hello'))), 'hello')
  assert.equal(await store.get(digestOf('other')), undefined)
})

test('content past the limit, or cut off, is not kept', async () => {
  const { store, folder } = newStore()
  await assert.rejects(store.put(chunks('12345', '67890'), 9), { code: 'body_too_large' })
  const broken = async function* () {
    yield Buffer.from('half')
    throw new Error('cut off')
  }
  await assert.rejects(store.put(broken(), 100), /cut off/)
  assert.deepEqual(await readdir(join(folder, 'incoming')), [])
  assert.deepEqual(await store.list(), [])
})

test('damaged content is found out while it is read', async () => {
  const { store, folder } = newStore()
  const { digest } = await store.put(chunks('precious'), 100)
  await writeFile(join(folder, 'sha256', digest.slice(7)), 'previous')
  await assert.rejects(async () => text(await store.get(digest)), { code: 'checksum_mismatch' })
})

test('only a digest is used as a file name', async () => {
  const { store } = newStore()
  for (const digest of ['sha256:../../../etc/passwd', '../x', `sha256:${'A'.repeat(64)}`, `sha256:${'a'.repeat(63)}/`]) {
    await assert.rejects(store.get(digest), { code: 'invalid_request' })
    await assert.rejects(store.remove(digest), { code: 'invalid_request' })
  }
})

test('putting the same again renews its time, and removing it removes it', async () => {
  const { store, folder } = newStore()
  const { digest } = await store.put(chunks('again'), 100)
  await utimes(join(folder, 'sha256', digest.slice(7)), 1_000, 1_000)
  assert.equal((await store.list())[0]?.putAt, 1_000_000)
  await store.put(chunks('again'), 100)
  assert.ok(((await store.list())[0]?.putAt ?? 0) > 1_000_000)
  await store.remove(digest)
  assert.deepEqual(await store.list(), [])
})

test('an upload left half by a crash is swept, a fresh one is left alone', async () => {
  const { store, folder } = newStore()
  await store.put(chunks('x'), 10)
  await writeFile(join(folder, 'incoming', 'old'), '')
  await writeFile(join(folder, 'incoming', 'fresh'), '')
  await utimes(join(folder, 'incoming', 'old'), 1, 1)
  await createFolderBlobStore({ ...createSystem(), folder }).put(chunks('y'), 10)
  assert.deepEqual(await readdir(join(folder, 'incoming')), ['fresh'])
  assert.equal((await stat(join(folder, 'sha256', digestOf('y').slice(7)))).mode & 0o777, 0o600)
})
