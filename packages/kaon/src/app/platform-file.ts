import type { Files, Processes } from '../base/system.ts'
import type { PlatformConfig } from './config.ts'
import { placesOf, writeWhole } from './data-folder.ts'

/** `<data>/platform.json`: what runs on this data folder, for whoever looks for it. */
export type PlatformFile = {
  /** The launcher. */
  pid: number
  /** Tells the process from a later one with the same id. */
  startTime: string
  version: string
  startedAt: string
  apiUrl: string
  gatewayUrl: string
  controlPlanePid?: number
  controlPlaneStartTime?: string
  gatewayPid?: number
  gatewayStartTime?: string
}

type Folders = Pick<PlatformConfig, 'dataFolder' | 'runFolder'>

export function writePlatformFile(files: Pick<Files, 'writeFile' | 'rename'>, folders: Folders, content: PlatformFile): Promise<void> {
  return writeWhole(files, placesOf(folders).platformFile, `${JSON.stringify(content, null, 2)}\n`)
}

/** What the file says, whether or not that still runs; undefined when there is none. */
export async function readPlatformFile(files: Pick<Files, 'readFile'>, folders: Folders): Promise<PlatformFile | undefined> {
  try {
    const content = JSON.parse(await files.readFile(placesOf(folders).platformFile, 'utf8')) as PlatformFile
    return Number.isInteger(content.pid) && typeof content.apiUrl === 'string' ? content : undefined
  } catch {
    return undefined
  }
}

/** Whether this very process is there. */
export async function isAlive(
  processes: Pick<Processes, 'startTime'>,
  pid: number | undefined,
  startTime: string | undefined,
): Promise<boolean> {
  return pid !== undefined && startTime !== undefined && (await processes.startTime(pid)) === startTime
}
