import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import type { ApiDeps } from '../api/api-deps.ts'
import { createTestApi } from '../api/test-api.ts'
import { KaonError } from '../base/errors.ts'
import { openSqliteStore } from '../stores/sqlite.ts'
import { startApiServer } from './api-server.ts'
import { storeReadiness } from './control-plane.ts'
import { createSystem } from './system.ts'

const { clock, network } = createSystem()

/** Answers of the API over a real connection. */
async function serve(t: TestContext, overrides: Partial<ApiDeps> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'kaon-api-'))
  const store = await openSqliteStore({ file: join(folder, 'store.sqlite'), clock })
  const { api } = createTestApi(store, overrides)
  const server = await startApiServer({ host: '127.0.0.1', port: 0, fetch: api.fetch }, network)
  t.after(async () => {
    await server.close()
    await store[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })
  return async (path: string, headers: Record<string, string> = {}) => {
    const [response] = (await once(get({ port: server.port, path, headers, agent: false }), 'response')) as [IncomingMessage]
    return { status: response.statusCode, body: await text(response) }
  }
}

test('a Host that makes no address is refused as one that is not served', async (t) => {
  const ask = await serve(t)
  for (const host of ['127.0.0.1070', '999.1.1.1', 'evil.example'])
    assert.deepEqual({ host, status: (await ask('/healthz', { host })).status }, { host, status: 421 })
})

test('a platform whose store takes no writes is not ready, says why, and names no file', async (t) => {
  let refusal: KaonError | undefined
  const ask = await serve(t, { readiness: () => [storeReadiness(refusal)] })
  assert.deepEqual(await ask('/readyz'), { status: 200, body: 'ok\n' })
  refusal = new KaonError('data_full', "The store '/home/somebody/store.sqlite' cannot be written.")
  assert.deepEqual(await ask('/readyz'), { status: 503, body: 'store: data_full: The disk is full.\n' })
})
