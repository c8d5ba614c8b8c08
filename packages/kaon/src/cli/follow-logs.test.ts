import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { createApiClient } from './api-client.ts'
import { followLogs } from './follow-logs.ts'

const line = (second: number, msg: string) =>
  `${JSON.stringify({ ts: `2026-01-01T00:00:0${second}.000Z`, level: 'info', msg, revision: 'hello-00001', replica: 'a' })}\n`

test('a broken connection is made again, and no line is lost or shown twice', async (t) => {
  const asked: URLSearchParams[] = []
  const server = createServer((request, response) => {
    asked.push(new URL(request.url ?? '', 'http://x').searchParams)
    if (asked.length === 1) {
      // Nothing was said yet when the connection breaks.
      response.write('\n', () => response.destroy())
    } else if (asked.length === 2) {
      response.write(line(1, 'one') + line(2, 'two') + line(2, 'two again'))
      // Breaks off in the middle of a line.
      response.write('{"ts":"2026', () => response.destroy())
    } else if (asked.length === 3) response.socket?.destroy()
    else response.write(line(2, 'two') + line(2, 'two again') + line(2, 'late') + line(3, 'three'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const system = createSystem()
  const api = createApiClient(system, {
    server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: undefined,
    version: '0',
  })
  const abort = new AbortController()
  const seen: string[] = []
  for await (const { msg } of followLogs({ api, ...system }, '/logs', { tail: '200' }, abort.signal)) {
    seen.push(msg)
    if (msg === 'three') abort.abort()
  }
  assert.deepEqual(seen, ['one', 'two', 'two again', 'late', 'three'])
  assert.equal(asked[0]?.get('tail'), '200')
  assert.equal(asked[3]?.get('since'), '2026-01-01T00:00:02.000Z')
  assert.equal(asked[3]?.get('tail'), null)
})
