import { chmodSync } from 'node:fs'
import { createServer } from 'node:net'
import type { WorkerMemory } from '../worker-memory.ts'
import type { CallRunner } from './call-runner.ts'
import type { Counters } from './counters.ts'
import { FrameConnection } from './frame-connection.ts'

export type FrameServerDeps = {
  runner: CallRunner
  memory: WorkerMemory
  counters: Counters
  /** Handlers get their body as it comes. */
  streamBody: boolean
  /** Say STARTED for each call: a process shares no memory with its supervisor. */
  saysStarted: boolean
  /** Body bytes of calls that are not started yet, all together. */
  maxWaitingBytes: number
}

/** Something that takes calls. `close` resolves when every answer that was made is with the kernel. */
export type Listener = { close(): Promise<void> }

/** Listens on the worker's own socket for gateways, which speak frames. */
export function listenFrames(deps: FrameServerDeps, socketPath: string): Promise<Listener> {
  let connections = 0
  const waiting = { bytes: 0 }
  const open = new Set<FrameConnection>()
  const server = createServer({ noDelay: true }, (socket) => {
    connections = connections === 0xffffffff ? 1 : connections + 1
    const connection = new FrameConnection({ ...deps, waiting, socket, number: connections, slot: freeSlot(deps.memory) })
    open.add(connection)
    socket.on('close', () => open.delete(connection))
  })
  const close = async () => {
    server.close()
    await Promise.all([...open].map((connection) => connection.end()))
  }
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath, () => {
      server.off('error', reject)
      try {
        chmodSync(socketPath, 0o600)
        resolve({ close })
      } catch (error) {
        reject(error)
      }
    })
  })
}

/** A free pair of the memory's table of connections; undefined when all are taken. */
function freeSlot(memory: WorkerMemory): number | undefined {
  for (let i = 0; i < memory.connections.length; i += 2) if (memory.connections[i] === 0) return i
  return undefined
}
