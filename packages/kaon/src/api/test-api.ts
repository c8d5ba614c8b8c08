// What the tests of this folder start from: an API over a real store, with the rest of the platform as each test gives it.
import { FakeClock, seededRandom } from '../base/fake-clock.ts'
import type { Log } from '../base/log.ts'
import type { Resource } from '../model/metadata.ts'
import type { Store } from '../stores/store.ts'
import { createApi } from './api.ts'
import type { ApiDeps } from './api-deps.ts'

type LogLine = { level: string; message: string; fields: Record<string, unknown> | undefined }

function recordingLog(lines: LogLine[]): Log {
  const at = (level: string) => (message: string, fields?: Record<string, unknown>) => void lines.push({ level, message, fields })
  const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), with: () => log }
  return log
}

function unused(what: string): never {
  throw new Error(`this test has no ${what}`)
}

/** `send` answers the parsed JSON; `lines` is what was logged. */
export function createTestApi(store: Store, overrides: Partial<ApiDeps> = {}) {
  const lines: LogLine[] = []
  const clock = new FakeClock()
  const api = createApi({
    store,
    blobs: { put: () => unused('blobs'), get: () => unused('blobs'), list: () => unused('blobs'), remove: () => unused('blobs') },
    clock,
    random: seededRandom(1),
    log: recordingLog(lines),
    logs: () => unused('logs'),
    buildLogs: { read: () => unused('build logs') },
    invoke: () => unused('functions'),
    metricsText: async () => 'up 1\n',
    functionMetrics: () => unused('metrics'),
    readiness: () => [],
    access: { hosts: [], loopbackOnly: true },
    info: { version: '0.1.0', gatewayUrl: 'http://127.0.0.1:8080' },
    ...overrides,
  })
  const send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const response = await api.request(`http://localhost:8070${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(text === undefined ? {} : { body: text }),
    })
    // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
    return { status: response.status, headers: response.headers, body: (await response.json()) as any }
  }
  return { api, send, clock, lines }
}

export const functionsPath = '/apis/kaon.dev/v1/namespaces/default/functions'

export function sampleFunction(name: string, extra: { spec?: object; metadata?: object } = {}): Resource {
  return {
    apiVersion: 'kaon.dev/v1',
    kind: 'Function',
    metadata: { name, ...extra.metadata },
    spec: { source: { inline: 'export default () => "hello"' }, ...extra.spec },
  }
}
