import { join } from 'node:path'
import { KaonError } from '../base/errors.ts'
import type { System } from '../base/system.ts'
import { removeReplicaFiles } from '../platforms/local/local-paths.ts'
import { readRecords } from '../platforms/local/replica-record.ts'
import type { PlatformConfig } from './config.ts'
import { openDataFolder, placesOf } from './data-folder.ts'
import { isAlive, readPlatformFile } from './platform-file.ts'

type Folders = Pick<PlatformConfig, 'dataFolder' | 'runFolder'>
type Parts = Pick<System, 'clock' | 'files' | 'processes'>
type Doomed = { pid: number; startTime: string }

const stopWithinMs = 150_000
const endWithinMs = 8_000
const pollMs = 25

export type Stopped = { kind: 'stopped' } | { kind: 'nothing-ran'; replicasEnded: number }

/** Stops the platform of a data folder, or, when it crashed, ends what it left behind. Throws `timed_out` when it does not stop. */
export async function stopPlatform(config: PlatformConfig, system: System): Promise<Stopped> {
  const { files, processes } = system
  const platform = await readPlatformFile(files, config)
  if (platform !== undefined && (await isAlive(processes, platform.pid, platform.startTime))) {
    processes.kill(platform.pid, 'SIGTERM')
    if (await isGone(platform, stopWithinMs, system)) return { kind: 'stopped' }
    throw new KaonError('timed_out', `The platform (process ${platform.pid}) has not stopped after ${stopWithinMs / 1000} s.`, {
      hint: 'It may be waiting for long calls; try again, or end the process.',
    })
  }
  if (!files.existsSync(config.dataFolder)) return { kind: 'nothing-ran', replicasEnded: 0 }
  const lock = await openDataFolder(config, system)
  try {
    await endStragglers(config, system)
    const replicasEnded = await endReplicas(config, system)
    const { platformFile, controlSocket, gatewaySocket, gatewayToken } = placesOf(config)
    await Promise.all([platformFile, controlSocket, gatewaySocket, gatewayToken].map((path) => files.rm(path, { force: true })))
    return { kind: 'nothing-ran', replicasEnded }
  } finally {
    lock.release()
  }
}

/** Ends control plane and gateway of a launcher that vanished, should they still be about. Replicas are left. */
export async function endStragglers(folders: Folders, system: Parts): Promise<void> {
  const platform = await readPlatformFile(system.files, folders)
  if (platform === undefined) return
  const { controlPlanePid, controlPlaneStartTime, gatewayPid, gatewayStartTime } = platform
  const children = [
    { pid: controlPlanePid, startTime: controlPlaneStartTime },
    { pid: gatewayPid, startTime: gatewayStartTime },
  ].filter((child): child is Doomed => child.pid !== undefined && child.startTime !== undefined)
  // They see the end of their pipe by themselves; a signal would tell the control plane to end its replicas too.
  await Promise.all(
    children.map(async (child) => {
      if (!(await isGone(child, endWithinMs, system))) await end(child, 'SIGKILL', system)
    }),
  )
}

async function endReplicas({ dataFolder, runFolder }: Folders, system: Parts): Promise<number> {
  const { records, strays } = await readRecords(system.files, dataFolder)
  const ended = await Promise.all(
    records.map(async (record) => {
      const wasAlive = await isAlive(system.processes, record.pid, record.startTime)
      if (!wasAlive) return false
      await end(record, 'SIGTERM', system)
      // Worker processes of a replica are in its group.
      system.processes.kill(-record.pid, 'SIGKILL')
      return true
    }),
  )
  for (const id of [...records.map((record) => record.id), ...strays]) await removeReplicaFiles(system.files, { dataFolder, runFolder }, id)
  for (const name of await system.files.readdir(runFolder).catch(() => []))
    if (/^[alw]-.*\.sock$/.test(name)) await system.files.rm(join(runFolder, name), { force: true })
  return ended.filter(Boolean).length
}

async function end(doomed: Doomed, signal: 'SIGTERM' | 'SIGKILL', system: Parts): Promise<void> {
  if (!(await isAlive(system.processes, doomed.pid, doomed.startTime))) return
  system.processes.kill(doomed.pid, signal)
  if (await isGone(doomed, endWithinMs, system)) return
  system.processes.kill(doomed.pid, 'SIGKILL')
  await isGone(doomed, endWithinMs, system)
}

async function isGone({ pid, startTime }: Doomed, withinMs: number, { clock, processes }: Parts): Promise<boolean> {
  for (const deadline = clock.monotonic() + withinMs; clock.monotonic() < deadline; await clock.sleep(pollMs))
    if (!(await isAlive(processes, pid, startTime))) return true
  return !(await isAlive(processes, pid, startTime))
}
