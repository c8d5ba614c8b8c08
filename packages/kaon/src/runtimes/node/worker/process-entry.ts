// Entry of a worker process: JSON lines on descriptor 3 say what it is to be.
import { Socket } from 'node:net'
import { encodeJsonLine, JsonLineDecoder } from '../../../base/json-lines.ts'
import { machineNow, WorkerMemory } from '../worker-memory.ts'
import type { FromWorker, ToWorker } from '../worker-messages.ts'
import { runWorker } from './main.ts'
import { sendVitals } from './send-vitals.ts'

const control = new Socket({ fd: 3, readable: true, writable: true })
const decoder = new JsonLineDecoder()
const listeners: ((message: ToWorker) => void)[] = []
const port = {
  post: (message: FromWorker) => void control.write(encodeJsonLine(message)),
  onMessage: (listener: (message: ToWorker) => void) => void listeners.push(listener),
}

control.on('data', (chunk: Buffer) => {
  for (const message of decoder.push(chunk) as ToWorker[]) {
    if (message.kind === 'boot') {
      const memory = new WorkerMemory()
      sendVitals(memory, port, machineNow)
      void runWorker(message.boot, port, memory)
    } else for (const listener of listeners) listener(message)
  }
})
// Without its supervisor nobody knows this process: it must not stay.
control.on('close', () => process.exit(1))
control.on('error', () => process.exit(1))
