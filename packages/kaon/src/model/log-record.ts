import type { LogLevel } from '../base/log.ts'

/** One line of a function's log, as it stands in the file (JSON lines) and as `…/logs` gives it. */
export type LogRecord = {
  /** RFC 3339 with milliseconds. */
  ts: string
  level: LogLevel
  msg: string
  revision: string
  replica: string
  worker?: number
  requestId?: string
  /** Where it came from when it was not the logger: what the handler printed, or the platform's word on a worker. */
  stream?: 'stdout' | 'stderr' | 'platform'
  /** Fields of the logger's call. */
  fields?: Record<string, unknown>
}
