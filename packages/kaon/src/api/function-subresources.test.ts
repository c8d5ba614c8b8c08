import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { KaonError } from '../base/errors.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { LogRecord } from '../model/log-record.ts'
import { openSqliteStore } from '../stores/sqlite.ts'
import type { Store } from '../stores/store.ts'
import { createTestApi, functionsPath, sampleFunction } from './test-api.ts'

const folder = mkdtempSync(join(tmpdir(), 'kaon-subresources-'))
const path = `${functionsPath}/hello`
let store: Store

before(async () => {
  store = await openSqliteStore({ file: join(folder, 'store.sqlite'), clock: createSystem().clock })
  const { send } = createTestApi(store)
  await send('POST', '/api/v1/namespaces', { metadata: { name: 'default' } })
  await send('POST', functionsPath, sampleFunction('hello'))
})

after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

/** Counts and digests, and keeps nothing. */
const blobs: BlobStore = {
  async put(content, limitBytes) {
    const hash = createHash('sha256')
    let bytes = 0
    for await (const chunk of content) {
      bytes += chunk.length
      if (bytes > limitBytes) throw new KaonError('body_too_large', 'The archive is too large.')
      hash.update(chunk)
    }
    return { digest: `sha256:${hash.digest('hex')}`, bytes }
  },
  get: async () => undefined,
  list: async () => [],
  remove: async () => undefined,
}

test('a source is taken before there is a function, and answered with its digest', async () => {
  const { send, lines } = createTestApi(store, { blobs })
  const { status, body } = await send('PUT', `${functionsPath}/not-yet/source`, 'an archive', { 'content-type': 'application/x-tar' })
  assert.equal(status, 201)
  assert.deepEqual(body, { digest: `sha256:${createHash('sha256').update('an archive').digest('hex')}`, bytes: 10 })
  assert.equal(lines.at(-1)?.fields?.outcome, 'done')
  assert.equal((await send('PUT', '/apis/kaon.dev/v1/namespaces/nowhere/functions/x/source', 'a')).status, 404)
  assert.equal((await send('POST', `${path}/source`, 'a')).status, 405)
  assert.equal((await send('PUT', `${path}/source`)).status, 400)
})

test('a source past 100 MB is refused by its length, and while it streams', async () => {
  const { api, send } = createTestApi(store, { blobs })
  assert.equal((await send('PUT', `${path}/source`, 'a', { 'content-length': '100000001' })).status, 413)
  const chunk = new Uint8Array(1_000_000)
  let sent = 0
  const body = new ReadableStream({ pull: (controller) => (sent++ < 1000 ? controller.enqueue(chunk) : controller.close()) })
  const init = { method: 'PUT', body, duplex: 'half' } as RequestInit
  assert.equal((await api.request(`http://localhost${path}/source`, init)).status, 413)
  assert.ok(sent < 200, `${sent} MB were read`)
})

test('the build log of the latest revision streams as it grows, and ends with its reader', async () => {
  const headers = { 'content-type': 'application/merge-patch+json' }
  let isEnded = false
  const { api, send } = createTestApi(store, {
    buildLogs: {
      async *read({ revision, follow, signal }) {
        try {
          yield `${revision} ${follow}\n`
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
        } finally {
          isEnded = true
        }
      },
    },
  })
  const none = await send('GET', `${path}/build`)
  assert.equal(none.status, 404)
  assert.match(none.body.message, /no revision yet/)
  await send('PATCH', `${path}/status`, { status: { latestCreatedRevision: 'hello-00002' } }, headers)
  assert.equal((await send('GET', `${path}/build`)).status, 404)
  const metadata = { name: 'hello-00002', namespace: 'default', uid: 'u', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' }
  const revision = { apiVersion: 'kaon.dev/v1', kind: 'Revision', metadata, spec: {} }
  await store.write({
    kind: 'create',
    key: { resource: 'revisions.kaon.dev', namespace: 'default', name: 'hello-00002' },
    object: revision,
  })
  const response = await api.request(`http://localhost${path}/build?follow=1`)
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  assert.equal(new TextDecoder().decode((await reader.read()).value), 'hello-00002 true\n')
  const pending = reader.read()
  await reader.cancel()
  await pending
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(isEnded)
  for (const other of ['..%2F..%2Fetc', 'other-00001', 'hello-00009'])
    assert.equal((await send('GET', `${path}/build?revision=${other}`)).status, 404)
})

test('logs are asked for as the query says, and given a record a line', async () => {
  const record: LogRecord = { ts: '2026-01-01T00:00:00.000Z', level: 'info', msg: 'hi', revision: 'hello-00001', replica: 'r' }
  const queries: object[] = []
  const { api, send, clock } = createTestApi(store, {
    async *logs({ signal: _signal, ...query }) {
      queries.push(query)
      yield record
      yield record
    },
  })
  const response = await api.request(`http://localhost${path}/logs?since=10m&level=warn&tail=5&revision=hello-00001`)
  assert.equal(response.headers.get('content-type'), 'application/x-ndjson')
  assert.equal(await response.text(), `${JSON.stringify(record)}\n`.repeat(2))
  const common = { namespace: 'default', function: 'hello' }
  const sinceMs = clock.now() - 600_000
  assert.deepEqual(queries, [{ ...common, follow: false, revision: 'hello-00001', sinceMs, tail: 5, level: 'warn' }])
  for (const query of ['since=yesterday', 'level=loud', 'tail=-1']) assert.equal((await send('GET', `${path}/logs?${query}`)).status, 400)
  assert.equal((await send('GET', `${functionsPath}/nobody/logs`)).status, 404)
})

test('an answer that breaks off does not look whole', async () => {
  const { api, lines } = createTestApi(store, {
    // biome-ignore lint/correctness/useYield: it fails before
    async *logs() {
      throw new Error('disk')
    },
  })
  const response = await api.request(`http://localhost${path}/logs`)
  await assert.rejects(response.text(), /broke off/)
  assert.equal(lines.at(-1)?.level, 'error')
})

test('invoke passes method, path, query, headers and streams through, both ways', async () => {
  const { api } = createTestApi(store, {
    async invoke({ namespace, function: name, path: rest, request }) {
      const headers = { 'x-got': `${request.method} ${namespace}/${name} ${rest} ${request.headers.get('x-in')}`, 'set-cookie': 'a=b' }
      return new Response(request.body, { status: 207, headers })
    },
  })
  const { readable: body, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const writer = writable.getWriter()
  const init = { method: 'PATCH', body, duplex: 'half', headers: { 'x-in': '1' } } as RequestInit
  const response = await api.request(`http://localhost${path}/invoke/a%2Fb/?q=1`, init)
  assert.equal(response.status, 207)
  assert.equal(response.headers.get('x-got'), 'PATCH default/hello /a%2Fb/?q=1 1')
  assert.match(response.headers.get('content-security-policy') ?? '', /sandbox/)
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  for (const text of ['one', 'two']) {
    const written = writer.write(new TextEncoder().encode(text))
    assert.equal(new TextDecoder().decode((await reader.read()).value), text)
    await written
  }
  await reader.cancel()
})

test('a caller that goes away takes the call with it', async () => {
  let signal: AbortSignal | undefined
  const { api } = createTestApi(store, {
    invoke: ({ request }) => {
      signal = request.signal
      return new Promise((_resolve, reject) =>
        signal?.addEventListener('abort', () => reject(new KaonError('client_gone', 'The caller went away.'))),
      )
    },
  })
  const caller = new AbortController()
  const answer = api.request(new Request(`http://localhost${path}/invoke`, { signal: caller.signal }))
  await new Promise((resolve) => setImmediate(resolve))
  caller.abort()
  assert.equal((await answer).status, 499)
  assert.ok(signal?.aborted)
})

test("the API's own token does not reach the function", async () => {
  const tokenDigest = createHash('sha256').update('token').digest('hex')
  const seen: (string | null)[] = []
  const invoke = async ({ request }: { request: Request }) => {
    seen.push(request.headers.get('authorization'))
    return new Response('ok')
  }
  const init = { headers: { authorization: 'Bearer token' } }
  await createTestApi(store, { invoke, access: { hosts: [], loopbackOnly: true, tokenDigest } }).api.request(
    `http://localhost${path}/invoke`,
    init,
  )
  await createTestApi(store, { invoke }).api.request(`http://localhost${path}/invoke`, init)
  assert.deepEqual(seen, [null, 'Bearer token'])
})

test("metrics are those of the function's replicas", async () => {
  const { api, send } = createTestApi(store, { functionMetrics: async (namespace, name) => `calls{f="${namespace}/${name}"} 1\n` })
  const response = await api.request(`http://localhost${path}/metrics`)
  assert.equal(await response.text(), 'calls{f="default/hello"} 1\n')
  assert.equal((await send('GET', `${functionsPath}/nobody/metrics`)).status, 404)
})
