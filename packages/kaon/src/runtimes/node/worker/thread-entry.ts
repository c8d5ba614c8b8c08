// Entry of a worker thread: everything it is told comes in `workerData`, which is emptied before the handler is loaded.
import type { MessagePort } from 'node:worker_threads'
import * as threads from 'node:worker_threads'
import { WorkerMemory } from '../worker-memory.ts'
import type { ToWorker, WorkerBoot } from '../worker-messages.ts'
import { runWorker } from './main.ts'

type ThreadData = { boot: WorkerBoot; port: MessagePort; memory: SharedArrayBuffer }

const { boot, port, memory } = threads.workerData as ThreadData
for (const name of Object.keys(threads.workerData)) delete (threads.workerData as Record<string, unknown>)[name]
// The replica is one process for all of its workers: what a handler does to "its process" ends its worker only.
process.kill = ((pid: number, signal?: string | number) => {
  if (pid === process.pid && signal !== 0) process.exit(1)
  throw Object.assign(new Error('A handler in a worker thread cannot send signals.'), { code: 'EPERM' })
}) as typeof process.kill

void runWorker(
  boot,
  {
    post: (message) => port.postMessage(message),
    onMessage: (listener) => void port.on('message', (message: ToWorker) => listener(message)),
  },
  new WorkerMemory(memory),
)
