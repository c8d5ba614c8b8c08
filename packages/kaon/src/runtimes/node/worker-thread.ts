import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { WorkerHandle, WorkerOptions } from '../worker.ts'
import type { NodeWorkersDeps } from './start-worker.ts'
import { WorkerLife } from './worker-life.ts'
import { machineNow, WorkerMemory } from './worker-memory.ts'
import { bootOf, type FromWorker } from './worker-messages.ts'
import { logPieces } from './worker-output.ts'

const mebibyte = 2 ** 20
const minHeapMebibytes = 16

/** A worker as a thread of this process: it shares the process and nothing else. */
export function startThreadWorker(deps: NodeWorkersDeps & { startTimeoutMs: number }, options: WorkerOptions): WorkerHandle {
  const { assignment, manifest, onLog } = options
  const memory = new WorkerMemory()
  const { port1: port, port2: workerPort } = new MessageChannel()
  const heapMebibytes = Math.max(minHeapMebibytes, Math.floor(assignment.memoryBytes / mebibyte))
  const worker = new Worker(deps.workerFile.thread, {
    name: `${assignment.function}/${options.index}`,
    workerData: { boot: bootOf({ ...options, form: 'thread' }), port: workerPort, memory: memory.buffer },
    transferList: [workerPort],
    env: assignment.env,
    argv: [],
    execArgv: ['--no-warnings'],
    resourceLimits: { maxOldGenerationSizeMb: heapMebibytes },
    stdin: false,
    stdout: true,
    stderr: true,
  })
  const life = new WorkerLife({
    clock: deps.clock,
    startTimeoutMs: deps.startTimeoutMs,
    handlerFile: manifest.handlerFile,
    memory,
    post: (message) => port.postMessage(message),
    kill: () => worker.terminate().then(() => undefined),
    onLog,
  })
  port.on('message', (message: FromWorker) => life.onMessage(message))
  logPieces(worker.stdout, 'stdout', onLog)
  logPieces(worker.stderr, 'stderr', onLog)
  worker.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_WORKER_OUT_OF_MEMORY')
      life.because({ cause: 'memory', message: `The worker used more than its heap of ${heapMebibytes} MiB.` })
    else life.because({ cause: 'crashed', message: `The worker crashed: ${String(error?.message ?? error)}` })
  })
  worker.on('exit', (code) => {
    // Its last words may still be on their way.
    for (let last = receiveMessageOnPort(port); last !== undefined; last = receiveMessageOnPort(port))
      life.onMessage(last.message as FromWorker)
    port.close()
    const exit = { cause: 'crashed', message: `The worker thread ended with code ${code}.` } as const
    void deps.files.rm(options.socket, { force: true }).finally(() => life.onExit(exit))
  })
  return {
    ready: life.ready,
    exited: life.exited,
    counters: memory.counters,
    lastStarted: () => memory.lastStarted(),
    overdueMs: () => memory.overdueMs(machineNow(), assignment.timeoutMs),
    customMetrics: () => life.customMetrics(),
    setLogLevel: (level) => port.postMessage({ kind: 'log-level', level }),
    drain: () => port.postMessage({ kind: 'drain' }),
    terminate: (cause, message) => life.terminate(cause, message),
  }
}
