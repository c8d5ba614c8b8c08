import type { LogLevel } from '../base/log.ts'
import type { ReplicaAssignment } from '../model/assignment.ts'
import type { ReplicaReport } from '../model/control-protocol.ts'
import type { LogRecord } from '../model/log-record.ts'

/** What a platform is asked for: this many replicas of this revision. The assignment is made anew for each start, so that it holds the secrets' values of that moment. */
export type WantedReplicas = {
  namespace: string
  function: string
  revision: string
  revisionUid: string
  /** Zero drains and ends them all. */
  count: number
  /** Differs when replicas must be replaced though the revision is the same (a secret's value changed). */
  configVersion: string
  assign(): Promise<ReplicaAssignment>
}

export type ObservedReplica = ReplicaReport & { id: string; revisionUid: string; configVersion: string; pid?: number; restarts: number }

export type LogQuery = {
  namespace: string
  function: string
  revision?: string
  follow: boolean
  /** Only lines at or after this time, ms since 1970. */
  sinceMs?: number
  /** Only the last so many of what is there already. */
  tail?: number
  level?: LogLevel
  signal: AbortSignal
}

/** Runs replicas somewhere. Level-triggered: `ensure` says what should be, `replicas` what is, `onChange` that it is worth looking again. */
export interface Platform extends AsyncDisposable {
  /** Moves towards the wanted number; returns at once. Idempotent. A replica that dies is started again with back-off. */
  ensure(wanted: WantedReplicas): void
  /** All replicas, the draining and the failed included. */
  replicas(): readonly ObservedReplica[]
  onChange(listener: () => void): void
  logs(query: LogQuery): AsyncIterable<LogRecord>
  /** Ends and removes everything of a function: processes, sockets, scratch folders, logs. */
  forget(namespace: string, functionName: string): Promise<void>
}
