// The store's own thread: SQLite is synchronous in Node, and an fsync must block nobody else.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { SqliteEngine } from './sqlite-engine.ts'
import type { SqliteSettings, ToThread, WriteRequest } from './sqlite-messages.ts'

const port = parentPort!
const engine = new SqliteEngine({
  settings: workerData as SqliteSettings,
  post: (message) => port.postMessage(message),
  after: (delayMs, action) => void setTimeout(action, delayMs).unref(),
})

/** What came in together is committed together; reads come after it, so that nobody reads what is not on the disk. */
port.on('message', (first: ToThread) => {
  const messages = [first]
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) messages.push(next.message as ToThread)
  const writes: WriteRequest[] = []
  let nowMs = 0
  for (const message of messages)
    if (message.kind === 'writes') {
      writes.push(...message.writes)
      nowMs = message.now
    }
  if (writes.length > 0) engine.write(writes, nowMs)
  for (const message of messages) if (message.kind === 'read') engine.read(message.id, message.read)
  if (messages.some((message) => message.kind === 'close')) {
    engine.close()
    port.close()
  }
})
engine.open()
