import type { Log } from '../base/log.ts'
import type { Clock, Random } from '../base/system.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { Platform } from '../platforms/platform.ts'
import type { Store } from '../stores/store.ts'

/** One function, by its address. */
type FunctionAddress = { namespace: string; function: string }

/** Who is let in. */
export type AccessRules = {
  /** Host names that are served besides the names of this machine's loopback. */
  hosts: readonly string[]
  /** SHA-256, hexadecimal, of the bearer token; when set, every request but /healthz and /readyz needs it. */
  tokenDigest?: string
  /** Whether the API listens on loopback alone. When it does not, `tokenDigest` must be set. */
  loopbackOnly: boolean
}

/** One thing that must be well for the platform to be ready, and a sentence about it. */
export type ReadinessCheck = { name: string; ok: boolean; message: string }

/** What the API stands on; `app/` hands it over. */
export type ApiDeps = {
  store: Store
  blobs: BlobStore
  clock: Clock
  random: Random
  log: Log
  logs: Platform['logs']
  buildLogs: { read(query: FunctionAddress & { revision: string; follow: boolean; signal: AbortSignal }): AsyncIterable<string> }
  /** Calls the function through the gateway. `path` starts with a slash and holds the query; `request` gives method, headers, body and signal. */
  invoke(query: FunctionAddress & { path: string; request: Request }): Promise<Response>
  /** The control plane's own metrics, Prometheus text. */
  metricsText(): Promise<string>
  /** Metrics of a function's replicas, Prometheus text. */
  functionMetrics(namespace: string, name: string): Promise<string>
  readiness(): ReadinessCheck[]
  access: AccessRules
  info: { version: string; gatewayUrl: string }
}
