import type { Clock, Files, Processes } from '../../base/system.ts'
import type { StartWorker } from '../worker.ts'
import { startProcessWorker } from './worker-process.ts'
import { startThreadWorker } from './worker-thread.ts'

export type NodeWorkersDeps = {
  clock: Pick<Clock, 'after'>
  files: Pick<Files, 'rm'>
  processes: Pick<Processes, 'spawn' | 'nodePath'>
  /** The code that runs in a worker: `worker/thread-entry.ts` and `worker/process-entry.ts`, or what they were bundled to. */
  workerFile: { thread: string | URL; process: string | URL }
  /** How long a worker may take to load its code and to run `init`. */
  startTimeoutMs?: number
}

const defaultStartTimeoutMs = 60_000

/** Starts node workers, as threads of this process or as processes of their own, as the assignment's `isolation` says. */
export function createNodeWorkers(deps: NodeWorkersDeps): StartWorker {
  const all = { ...deps, startTimeoutMs: deps.startTimeoutMs ?? defaultStartTimeoutMs }
  return (options) => (options.assignment.isolation === 'process' ? startProcessWorker(all, options) : startThreadWorker(all, options))
}
