// A replica's process. Started empty; what it becomes is told over the control socket.
import { closeSync, existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ProcessorStart } from '../platforms/local/connection.ts'
import { adminSocket } from '../platforms/local/local-paths.ts'
import { startAdminServer } from '../processor/admin-server.ts'
import { ControlClient } from '../processor/control-client.ts'
import { replicaMetrics } from '../processor/metrics.ts'
import { RotatingFile } from '../processor/rotating-file.ts'
import { type ReplicaEnd, Supervisor } from '../processor/supervisor.ts'
import { createNodeWorkers } from '../runtimes/node/start-worker.ts'
import { createSystem } from './system.ts'

const startDescriptor = 3
/** What may still be said when the end has come. */
const lastWordsMs = 500

function readStart(): ProcessorStart {
  const start = JSON.parse(readFileSync(startDescriptor, 'utf8')) as ProcessorStart
  // Workers share this process's descriptors: the token must not wait there for them.
  closeSync(startDescriptor)
  return start
}

/** Node ends a process only after its threads; one that sits in native code would keep it for ever. */
function endNow(): never {
  process.kill(process.pid, 'SIGKILL')
  throw new Error('unreachable')
}

function run(): void {
  const { id, token, controlSocket, runFolder, scratchFolder, workerFiles } = readStart()
  for (const name of Object.keys(process.env)) delete process.env[name]
  const system = createSystem()
  const { clock, files, network } = system
  const supervisor = new Supervisor({
    ...system,
    id,
    runFolder,
    scratchFolder,
    startWorker: createNodeWorkers({ ...system, workerFile: workerFiles }),
    memoryBytes: () => process.memoryUsage.rss(),
    capturesOutput: true,
    async openLog({ logFolder }) {
      await files.mkdir(logFolder, { recursive: true, mode: 0o700 })
      return new RotatingFile(files, { path: join(logFolder, `${id}.jsonl`) })
    },
  })
  const client = new ControlClient({
    ...system,
    supervisor,
    controlSocket,
    id,
    pid: process.pid,
    token,
    hasHome: () => existsSync(dirname(scratchFolder)),
    onUnwanted: () => void supervisor.drain(0),
  })
  let admin: Promise<AsyncDisposable> | undefined
  const metrics = () => replicaMetrics(supervisor, id, (delayMs) => clock.sleep(delayMs))
  supervisor.onChange(() => {
    if (supervisor.report.phase !== 'ready' || admin !== undefined) return
    const isReady = () => supervisor.report.phase === 'ready'
    admin = startAdminServer({ network, files, path: adminSocket(runFolder, id), metrics, isReady })
    admin.catch(() => undefined)
  })
  const leave = async (end: ReplicaEnd) => {
    await Promise.race([Promise.all([client.close(), admin?.then((server) => server[Symbol.asyncDispose]())]), clock.sleep(lastWordsMs)])
    if (end.kind === 'fatal') {
      process.stderr.write(`Kaon: ${end.message}\n`)
      endNow()
    }
    process.exit(end.kind === 'clean' ? 0 : 1)
  }
  void supervisor.ended.then(leave)
  process.on('SIGTERM', () => void supervisor.drain((supervisor.assignment?.timeoutMs ?? 0) + 5_000))
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
  process.on('uncaughtException', (error) => {
    // A fault of ours: the platform starts the replica anew. The trace goes to the function's own captured output.
    process.stderr.write(`Kaon: the supervisor failed: ${error.stack}\n`)
    endNow()
  })
}

run()
