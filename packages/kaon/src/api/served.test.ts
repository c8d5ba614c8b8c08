// The API behind a real socket, as `app/` serves it: what only shows on the wire.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type IncomingMessage, request, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createAdaptorServer } from '@hono/node-server'
import { createSystem } from '../app/system.ts'
import { openSqliteStore } from '../stores/sqlite.ts'
import type { Store } from '../stores/store.ts'
import { createTestApi, functionsPath, sampleFunction } from './test-api.ts'

const folder = mkdtempSync(join(tmpdir(), 'kaon-served-'))
const { clock } = createSystem()
let store: Store
let server: Server
let port: number
let openWatches = 0
let invoked: Promise<AbortSignal>

before(async () => {
  const sqlite = await openSqliteStore({ file: join(folder, 'store.sqlite'), clock })
  store = {
    get: (key) => sqlite.get(key),
    list: (query) => sqlite.list(query),
    write: (write) => sqlite.write(write),
    async *watch(query) {
      openWatches++
      try {
        yield* sqlite.watch(query)
      } finally {
        openWatches--
      }
    },
    [Symbol.asyncDispose]: () => sqlite[Symbol.asyncDispose](),
  }
  const calls = Promise.withResolvers<AbortSignal>()
  invoked = calls.promise
  const { api, send } = createTestApi(store, {
    clock,
    async invoke({ request }) {
      calls.resolve(request.signal)
      return new Response(request.body)
    },
  })
  await send('POST', '/api/v1/namespaces', { metadata: { name: 'default' } })
  await send('POST', functionsPath, sampleFunction('hello'))
  server = createAdaptorServer({ fetch: api.fetch, overrideGlobalObjects: false }) as Server
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})

after(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

async function until(holds: () => boolean, what: string): Promise<void> {
  for (const deadline = clock.monotonic() + 5000; !holds(); await clock.sleep(5)) assert.ok(clock.monotonic() < deadline, what)
}

/** Bytes out, the first line of the answer back. */
async function raw(text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(text)
  let answer = ''
  for await (const chunk of socket) {
    answer += chunk
    if (answer.includes('\r\n\r\n')) break
  }
  socket.destroy()
  return answer.split('\r\n')[0] as string
}

test('a rebound name, an address of another host and a missing Host are refused on the wire', async () => {
  assert.match(await raw(`GET /apis HTTP/1.1\r\nHost: rebound.example:${port}\r\n\r\n`), / 421 /)
  assert.match(await raw('GET http://rebound.example/apis HTTP/1.1\r\nHost: rebound.example\r\n\r\n'), / 421 /)
  assert.match(await raw('GET /apis HTTP/1.1\r\n\r\n'), / 400 /)
  assert.match(await raw('GET /apis HTTP/1.0\r\n\r\n'), / 4\d\d /)
  assert.match(await raw('GET /apis HTTP/1.1\r\nHost: localhost@rebound.example\r\n\r\n'), / 4\d\d /)
  assert.match(
    await raw(`POST ${functionsPath} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n`),
    / 403 /,
  )
  assert.match(await raw('GET /apis HTTP/1.1\r\nHost: localhost\r\n\r\n'), / 200 /)
})

test('a watcher that goes away is forgotten by the store', async () => {
  const outgoing = request({ port, path: `${functionsPath}?watch=1&resourceVersion=0` }).end()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  assert.match(String((await once(incoming, 'data'))[0]), /"ADDED"/)
  await until(() => openWatches === 1, 'the watch did not begin')
  outgoing.destroy()
  await until(() => openWatches === 0, 'the watch did not end')
})

test('the head of a watch comes before its first event', async () => {
  const outgoing = request({ port, path: `/api/v1/namespaces/default/configmaps?watch=1` }).end()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  assert.equal(incoming.statusCode, 200)
  outgoing.destroy()
  await until(() => openWatches === 0, 'the watch did not end')
})

test('a body without end is refused early', async () => {
  const outgoing = request({ port, path: functionsPath, method: 'POST', headers: { 'content-type': 'application/json' } })
  outgoing.on('error', () => {})
  let sent = 0
  const chunk = Buffer.alloc(256 * 1024, 'x')
  const fill = () => {
    while (!outgoing.destroyed && outgoing.write(chunk)) sent += chunk.length
  }
  outgoing.on('drain', fill)
  fill()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  assert.equal(incoming.statusCode, 413)
  outgoing.destroy()
  assert.ok(sent < 128 * 1024 * 1024, `${sent} bytes were taken`)
})

test('a call streams both ways, and ends when its caller does', async () => {
  const outgoing = request({ port, path: `${functionsPath}/hello/invoke/echo`, method: 'POST' })
  outgoing.on('error', () => {})
  outgoing.write('one')
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  incoming.on('error', () => {})
  assert.equal(String((await once(incoming, 'data'))[0]), 'one')
  outgoing.write('two')
  assert.equal(String((await once(incoming, 'data'))[0]), 'two')
  const signal = await invoked
  outgoing.destroy()
  await until(() => signal.aborted, 'the call was not ended')
})
