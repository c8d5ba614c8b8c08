import { basename, join } from 'node:path'
import type { Files } from '../../base/system.ts'
import { recordFile } from './local-paths.ts'

/** What the platform must know of a replica after its own restart. Holds no secret: of the token only a digest. */
export type ReplicaRecord = {
  version: 1
  id: string
  pid: number
  /** With the pid it names one process for good. */
  startTime: string
  tokenDigest: string
  /** The bundle that it runs; an empty replica of an older one is not worth keeping. */
  processorFile: string
  /** What it became; absent while it waits in the pool. */
  assigned?: ReplicaAssigned
}

export type ReplicaAssigned = {
  namespace: string
  function: string
  revision: string
  revisionUid: string
  configVersion: string
  timeoutMs: number
  /** How often a replica in this place was started again. */
  restarts: number
}

/** Whole or not at all: written beside and renamed. */
export async function writeRecord(files: Pick<Files, 'writeFile' | 'rename'>, dataFolder: string, record: ReplicaRecord): Promise<void> {
  const path = recordFile(dataFolder, record.id)
  await files.writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 })
  await files.rename(`${path}.new`, path)
}

/** All records, and the ids of scratch folders that no record speaks of. Unreadable records count as such folders. */
export async function readRecords(
  files: Pick<Files, 'readdir' | 'readFile'>,
  dataFolder: string,
): Promise<{ records: ReplicaRecord[]; strays: string[] }> {
  const folder = join(dataFolder, 'replicas')
  const records = new Map<string, ReplicaRecord>()
  const ids = new Set<string>()
  for (const name of await files.readdir(folder).catch(() => [] as string[])) {
    const id = basename(name).replace(/\.json(\.new)?$/, '')
    if (!/^[a-z0-9]{10}$/.test(id)) continue
    ids.add(id)
    if (!name.endsWith('.json')) continue
    const record = parseRecord(await files.readFile(join(folder, name), 'utf8').catch(() => ''), id)
    if (record !== undefined) records.set(id, record)
  }
  return { records: [...records.values()], strays: [...ids].filter((id) => !records.has(id)) }
}

function parseRecord(text: string, id: string): ReplicaRecord | undefined {
  try {
    const record = JSON.parse(text) as ReplicaRecord
    return record.version === 1 && record.id === id && Number.isInteger(record.pid) ? record : undefined
  } catch {
    return undefined
  }
}
