import type { Duplex, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { encodeJsonLine, JsonLineDecoder } from '../../base/json-lines.ts'
import type { WorkerExit, WorkerHandle, WorkerOptions } from '../worker.ts'
import type { NodeWorkersDeps } from './start-worker.ts'
import { WorkerLife } from './worker-life.ts'
import { machineNow, WorkerMemory } from './worker-memory.ts'
import { bootOf, type FromWorker, type ToWorker } from './worker-messages.ts'
import { logPieces } from './worker-output.ts'

const mebibyte = 2 ** 20
const minHeapMebibytes = 16
const keptErrorChars = 4_096

/** A worker as a process of its own, with the assignment's environment and no other. */
export function startProcessWorker(deps: NodeWorkersDeps & { startTimeoutMs: number }, options: WorkerOptions): WorkerHandle {
  const { assignment, manifest, onLog } = options
  const memory = new WorkerMemory()
  const heapMebibytes = Math.max(minHeapMebibytes, Math.floor(assignment.memoryBytes / mebibyte))
  const file = deps.workerFile.process instanceof URL ? fileURLToPath(deps.workerFile.process) : deps.workerFile.process
  const child = deps.processes.spawn(deps.processes.nodePath, [`--max-old-space-size=${heapMebibytes}`, '--no-warnings', file], {
    env: assignment.env,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const control = child.stdio[3] as Duplex
  const post = (message: ToWorker) => {
    if (control.writable) control.write(encodeJsonLine(message))
  }
  const kill = () => void child.kill('SIGKILL')
  const { clock, startTimeoutMs } = deps
  const life = new WorkerLife({ clock, startTimeoutMs, handlerFile: manifest.handlerFile, memory, post, kill, onLog })
  listen(control, memory, life, kill)
  logPieces(child.stdout as Readable, 'stdout', onLog)
  let lastErrors = ''
  child.stderr?.on('data', (text: string) => {
    lastErrors = (lastErrors + text).slice(-keptErrorChars)
  })
  logPieces(child.stderr as Readable, 'stderr', onLog)
  child.on('error', (error) => life.because({ cause: 'crashed', message: `The worker's process could not be started: ${error.message}` }))
  child.on('close', (code, signal) => {
    const exit = exitOf(code, signal, lastErrors, heapMebibytes)
    void deps.files.rm(options.socket, { force: true }).finally(() => life.onExit(exit))
  })
  post({ kind: 'boot', boot: bootOf({ ...options, form: 'process' }) })
  return {
    ready: life.ready,
    exited: life.exited,
    counters: memory.counters,
    lastStarted: () => ({}),
    overdueMs: () => memory.overdueMs(machineNow(), assignment.timeoutMs),
    customMetrics: () => life.customMetrics(),
    setLogLevel: (level) => post({ kind: 'log-level', level }),
    drain: () => post({ kind: 'drain' }),
    terminate: (cause, message) => life.terminate(cause, message),
  }
}

/** Each message is a sign of life; one that is broken ends the worker, whose handler can write to the descriptor too. */
function listen(control: Duplex, memory: WorkerMemory, life: WorkerLife, kill: () => void): void {
  const decoder = new JsonLineDecoder()
  control.on('error', () => undefined)
  control.on('data', (chunk: Buffer) => {
    memory.beat(machineNow())
    try {
      for (const message of decoder.push(chunk) as FromWorker[]) life.onMessage(message)
    } catch (error) {
      life.because({ cause: 'crashed', message: `The worker wrote nonsense to its control channel: ${String(error)}` })
      kill()
    }
  })
}

function exitOf(code: number | null, signal: NodeJS.Signals | null, lastErrors: string, heapMebibytes: number): WorkerExit {
  if (/JavaScript heap out of memory|Reached heap limit/.test(lastErrors))
    return { cause: 'memory', message: `The worker used more than its heap of ${heapMebibytes} MiB.` }
  if (signal !== null) return { cause: 'crashed', message: `The worker's process was ended by ${signal}.` }
  return { cause: 'crashed', message: `The worker's process ended with code ${code}.` }
}
