import type { LogLevel } from '../base/log.ts'

/** Everything that a replica process is told to become one replica of one revision. It is told once. Times in ms, sizes in bytes. */
export type ReplicaAssignment = {
  namespace: string
  function: string
  functionUid: string
  revision: string
  revisionUid: string
  runtime: 'node'
  /** Absolute path of the artifact's folder. */
  artifactFolder: string
  /** The handler's environment, complete: nothing of the platform's own is added but what the runtime contract names. */
  env: Record<string, string>
  /** What `context.secrets` holds: the values of every secret the function names, by `secret.key`. */
  secrets: Record<string, string>
  files: { path: string; contentBase64: string }[]
  workers: number
  isolation: 'thread' | 'process'
  /** Requests in flight in this replica; 0 is unlimited. */
  concurrency: number
  timeoutMs: number
  /** Heap of one worker. */
  memoryBytes: number
  logLevel: LogLevel
  /** Folder for this function's log files. */
  logFolder: string
  /** Where `context.invoke` goes: the gateway's unix socket. */
  gatewaySocket: string
}
