import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { KaonError } from '../../base/errors.ts'
import type { System } from '../../base/system.ts'
import type { ProcessorStart } from './connection.ts'
import { type LocalFolders, outputFile, scratchFolder, workFolder } from './local-paths.ts'
import { LocalReplica, type LocalReplicaDeps } from './local-replica.ts'

export type ProcessorFiles = {
  /** The bundled entry of a replica's process. */
  processorFile: string
  workerFiles: { thread: string; process: string }
}

export type SpawnDeps = Pick<System, 'random'> & LocalReplicaDeps & LocalFolders & { processor: ProcessorFiles; controlSocket: string }

const idLetters = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** Starts an empty replica: its own process group and folder, nothing of our environment, its token over a pipe. Throws `start_failed`. */
export async function spawnReplica(deps: SpawnDeps): Promise<LocalReplica> {
  const { dataFolder, files, processes, processor, random, runFolder, controlSocket } = deps
  const id = Array.from(random.bytes(10), (byte) => idLetters[byte % idLetters.length]).join('')
  const token = random.bytes(32).toString('hex')
  const scratch = scratchFolder(dataFolder, id)
  await files.mkdir(workFolder(dataFolder, id), { recursive: true, mode: 0o700 })
  const output = openSync(outputFile(dataFolder, id), 'a', 0o600)
  const child = processes.spawn(processes.nodePath, [processor.processorFile], {
    cwd: workFolder(dataFolder, id),
    detached: true,
    env: {},
    stdio: ['ignore', output, output, 'pipe'],
  })
  closeSync(output)
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('spawn', () => resolve(child.pid as number))
    child.once('error', (cause) => reject(new KaonError('start_failed', 'A process for a replica could not be started.', { cause })))
  })
  const start: ProcessorStart = { id, token, controlSocket, runFolder, scratchFolder: scratch, workerFiles: processor.workerFiles }
  const pipe = child.stdio[3] as Writable
  pipe.on('error', () => undefined)
  pipe.end(`${JSON.stringify(start)}\n`)
  child.unref()
  const replica = new LocalReplica(deps, {
    version: 1,
    id,
    pid,
    startTime: (await processes.startTime(pid)) ?? '',
    tokenDigest: createHash('sha256').update(token).digest('hex'),
    processorFile: processor.processorFile,
  })
  child.on('exit', (code, signal) =>
    replica.processExited(signal === null ? `its process ended with code ${code}` : `its process was ended by ${signal}`),
  )
  if (child.exitCode !== null || child.signalCode !== null) replica.processExited('its process ended at once')
  await replica.save()
  return replica
}
