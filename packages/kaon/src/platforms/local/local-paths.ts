import { join } from 'node:path'
import type { Files } from '../../base/system.ts'

export type LocalFolders = {
  /** `--data`. */
  dataFolder: string
  /** Where the sockets are. */
  runFolder: string
}

/** Where a replica answers `/metrics`, `/healthz` and `/readyz`. */
export function adminSocket(runFolder: string, replicaId: string): string {
  return join(runFolder, `a-${replicaId}.sock`)
}

export function recordFile(dataFolder: string, replicaId: string): string {
  return join(dataFolder, 'replicas', `${replicaId}.json`)
}

export function scratchFolder(dataFolder: string, replicaId: string): string {
  return join(dataFolder, 'replicas', replicaId)
}

/** The handler's working directory. */
export function workFolder(dataFolder: string, replicaId: string): string {
  return join(scratchFolder(dataFolder, replicaId), 'work')
}

/** What descriptors 1 and 2 of a replica append to. */
export function outputFile(dataFolder: string, replicaId: string): string {
  return join(scratchFolder(dataFolder, replicaId), 'output')
}

/** The log files of one function. */
export function logFolder(dataFolder: string, namespace: string, functionName: string): string {
  return join(dataFolder, 'logs', namespace, functionName)
}

/** Removes whatever a replica had: sockets, scratch folder, record. */
export async function removeReplicaFiles(files: Pick<Files, 'readdir' | 'rm'>, folders: LocalFolders, replicaId: string): Promise<void> {
  const own = new RegExp(`^(?:[la]-${replicaId}|w-${replicaId}-\\d+-\\d+)\\.sock$`)
  const sockets = (await files.readdir(folders.runFolder).catch(() => [])).filter((name) => own.test(name))
  await Promise.all([
    ...sockets.map((name) => files.rm(join(folders.runFolder, name), { force: true })),
    files.rm(scratchFolder(folders.dataFolder, replicaId), { recursive: true, force: true }),
    files.rm(recordFile(folders.dataFolder, replicaId), { force: true }),
  ])
}
