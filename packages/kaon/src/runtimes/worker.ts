import type { LogLevel } from '../base/log.ts'
import type { TextCut } from '../base/redact.ts'
import type { ArtifactManifest } from '../model/artifact.ts'
import type { ReplicaAssignment } from '../model/assignment.ts'
import type { StartSteps } from '../model/control-protocol.ts'
import type { LogRecord } from '../model/log-record.ts'

export type WorkerExit = { cause: 'timeout' | 'memory' | 'crashed' | 'exited' | 'stopped'; message: string }

/** A log line before the supervisor adds what it knows (revision, replica, worker). */
export type WorkerLogLine = Omit<LogRecord, 'revision' | 'replica' | 'worker'> & {
  /** Where `msg` was cut from a longer line, and how many characters after it were left out. */
  cut?: TextCut & { omitted?: number }
}

export type WorkerOptions = {
  assignment: ReplicaAssignment
  manifest: ArtifactManifest
  index: number
  /** 1 for the first worker with this index, then one more for each replacement. */
  generation: number
  /** Unix socket that the worker listens on and answers frames at. */
  socket: string
  /** TCP port on 127.0.0.1 (or the given host) at which the worker serves plain HTTP itself: `kaon run`, and a processor on its own. */
  http?: { host: string; port: number }
  /** Lines of one tick together. */
  onLog(lines: WorkerLogLine[]): void
}

/** Counters that the worker writes and its supervisor reads as differences modulo 2³²; the memory outlives the worker. */
export const WorkerCounter = {
  started: 0,
  finished: 1,
  failed: 2,
  timedOut: 3,
  /** A gauge, not a count: calls whose caller was answered (deadline) or went away while the handler still runs. They hold their slots. */
  abandoned: 4,
  /** In-flight integrated over time, in request-ms. */
  inFlightMs: 5,
  /** A gauge: calls in the worker, from the head of the request until handler and answer are done. */
  inFlight: 6,
  requestBytes: 7,
  responseBytes: 8,
  /** Durations added up: the histogram's sum. */
  durationMs: 9,
  /** Then the buckets of the duration histogram, see `durationBucketsSeconds`. */
  firstBucket: 16,
} as const

/** Upper bounds of the duration histogram's buckets; the last, +Inf, is one more. */
export const durationBucketsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

/** One running worker, thread or process, as its supervisor sees it. */
export interface WorkerHandle {
  /** When `init` is done and the socket listens. Rejects with a `KaonError` (`handler_missing`, `handler_invalid`, `start_failed`, and `port_in_use` with `http`) that says what the author must mend. */
  readonly ready: Promise<StartSteps & { httpPort?: number }>
  readonly exited: Promise<WorkerExit>
  readonly counters: Uint32Array
  /** For each connection (the number of its HELLO) the last stream whose handler was started. Readable after the worker's death. Empty for a process, which says STARTED itself. */
  lastStarted(): Record<string, number>
  /**
   * How long ago the worker should have handled its earliest deadline and did not; 0 while it keeps up. With no call in flight: how long its
   * heartbeat is late beyond the function's timeout. Past a grace of a second it is blocked.
   */
  overdueMs(): number
  /** Text of the handler's custom metrics, in Prometheus's format. */
  customMetrics(): Promise<string>
  setLogLevel(level: LogLevel): void
  /** Refuses new calls; `exited` resolves when those in flight and their `waitUntil` are done. */
  drain(): void
  /** Ends it now, whatever it is doing. */
  terminate(cause: WorkerExit['cause'], message: string): Promise<void>
}

/** Starts workers of one language. */
export type StartWorker = (options: WorkerOptions) => WorkerHandle
