// What a supervisor and its node worker say to each other. A thread says it over a MessagePort, a process as JSON lines on descriptor 3.
import type { LogLevel } from '../../base/log.ts'
import type { ArtifactManifest } from '../../model/artifact.ts'
import type { ReplicaAssignment } from '../../model/assignment.ts'
import type { StartSteps } from '../../model/control-protocol.ts'
import type { WorkerExit, WorkerLogLine } from '../worker.ts'

/** All that a worker is told once. Its environment is not here: it is the thread's or the process's own. */
export type WorkerBoot = {
  form: 'thread' | 'process'
  assignment: Omit<ReplicaAssignment, 'env' | 'files' | 'logFolder' | 'isolation' | 'workers'>
  manifest: ArtifactManifest
  index: number
  socket: string
  http?: { host: string; port: number }
}

export type ToWorker =
  | { kind: 'boot'; boot: WorkerBoot }
  | { kind: 'log-level'; level: LogLevel }
  | { kind: 'drain' }
  | { kind: 'metrics'; id: number }
  /** So many log lines have been taken; the worker holds back beyond a bound. */
  | { kind: 'logged'; lines: number }

export type FromWorker =
  | { kind: 'ready'; steps: StartSteps; httpPort?: number }
  | { kind: 'failed'; code: 'handler_missing' | 'handler_invalid' | 'port_in_use' | 'start_failed'; message: string; hint?: string }
  | { kind: 'log'; lines: WorkerLogLine[] }
  | { kind: 'metrics'; id: number; text: string }
  /** Its last word: why it ends. */
  | { kind: 'ending'; cause: WorkerExit['cause']; message: string }
  /** Processes only, which share no memory: counters, heartbeat and the earliest deadline (0 = none) on the machine's monotonic clock. */
  | { kind: 'vitals'; counters?: number[]; deadlineAt: number }

/** The worker's end of that conversation. */
export interface ControlPort {
  post(message: FromWorker): void
  onMessage(listener: (message: ToWorker) => void): void
}

/** The boot message for an assignment: what the worker needs and no more. */
export function bootOf(options: {
  form: 'thread' | 'process'
  assignment: ReplicaAssignment
  manifest: ArtifactManifest
  index: number
  socket: string
  http?: { host: string; port: number }
}): WorkerBoot {
  const { env: _env, files: _files, logFolder: _logFolder, isolation: _isolation, workers: _workers, ...assignment } = options.assignment
  const { form, manifest, index, socket, http } = options
  return { form, assignment, manifest, index, socket, ...(http === undefined ? {} : { http }) }
}
