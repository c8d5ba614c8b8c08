import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { KaonError } from '../base/errors.ts'
import { makeFolder } from '../base/make-folder.ts'
import type { Files, Random } from '../base/system.ts'
import type { PlatformConfig } from './config.ts'

/** Layout of the data folder that this version writes. */
const layoutVersion = 1
const folders = ['store', 'blobs', 'artifacts', 'builds', 'cache', 'logs', 'replicas', 'gateway']

/** Where things are in the data and the run folder. */
export function placesOf({ dataFolder, runFolder }: Pick<PlatformConfig, 'dataFolder' | 'runFolder'>) {
  const data = (...path: string[]) => join(dataFolder, ...path)
  const run = (...path: string[]) => join(runFolder, ...path)
  return {
    store: data('store', 'store.sqlite'),
    blobs: data('blobs'),
    artifacts: data('artifacts'),
    builds: data('builds'),
    cache: data('cache'),
    logs: data('logs'),
    table: data('gateway', 'table.json'),
    salt: data('salt'),
    platformFile: data('platform.json'),
    controlPlaneLog: data('control-plane.log'),
    gatewayLog: data('gateway.log'),
    controlSocket: run('control.sock'),
    gatewaySocket: run('gateway.sock'),
    gatewayToken: run('gateway.token'),
  }
}

export interface DataFolderLock {
  release(): void
}

/**
 * Makes the folders, or finds them good, and takes the lock that holds for as long as the platform lives.
 * Throws `data_locked`, `data_newer`, `data_read_only` or `data_full`, and then has changed nothing that matters.
 */
export async function openDataFolder(
  config: PlatformConfig,
  deps: { files: Files; random: Pick<Random, 'bytes'> },
): Promise<DataFolderLock> {
  const { files } = deps
  const { dataFolder, runFolder } = config
  try {
    await makeFolder(files, dataFolder)
    await checkVersion(files, dataFolder)
    const lock = takeLock(dataFolder, await platformPid(files, dataFolder))
    try {
      await layOut(config, deps)
      await prepareRunFolder(files, runFolder)
      return lock
    } catch (error) {
      lock.release()
      throw error
    }
  } catch (error) {
    throw asFolderError(error, dataFolder)
  }
}

async function checkVersion(files: Files, dataFolder: string): Promise<void> {
  const text = await files.readFile(join(dataFolder, 'version'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined || Number(text) === layoutVersion) return
  if (Number.isInteger(Number(text)) && Number(text) > layoutVersion)
    throw new KaonError(
      'data_newer',
      `The data folder '${dataFolder}' is of version ${text.trim()}; this Kaon knows version ${layoutVersion}.`,
      {
        hint: 'Use a newer Kaon, or another folder with --data.',
      },
    )
  throw new KaonError(
    'config_invalid',
    `The file '${join(dataFolder, 'version')}' must hold ${layoutVersion}, not '${text.trim().slice(0, 20)}'.`,
  )
}

async function layOut({ dataFolder }: PlatformConfig, { files, random }: { files: Files; random: Pick<Random, 'bytes'> }): Promise<void> {
  await Promise.all(folders.map((name) => files.mkdir(join(dataFolder, name), { recursive: true, mode: 0o700 })))
  const salt = join(dataFolder, 'salt')
  if (!files.existsSync(salt)) await writeWhole(files, salt, random.bytes(32))
  const version = join(dataFolder, 'version')
  // Written each time: so a folder that takes no more is found now, and not at the first deploy.
  await writeWhole(files, version, `${layoutVersion}\n`)
}

/** A folder of sockets in a place that others can write to must be this user's own. */
async function prepareRunFolder(files: Files, runFolder: string): Promise<void> {
  await makeFolder(files, runFolder)
  const { uid, mode } = await files.lstat(runFolder)
  const own = process.getuid?.()
  if (own !== undefined && uid !== own)
    throw new KaonError('data_read_only', `The folder for sockets '${runFolder}' belongs to somebody else.`, {
      hint: 'Remove it, or choose another folder with --data.',
    })
  if ((mode & 0o077) !== 0) await files.chmod(runFolder, 0o700)
}

/** Makes a file appear whole, readable by its owner only. */
export async function writeWhole(files: Pick<Files, 'writeFile' | 'rename'>, path: string, content: string | Buffer): Promise<void> {
  await files.writeFile(`${path}.new`, content, { mode: 0o600 })
  await files.rename(`${path}.new`, path)
}

async function platformPid(files: Files, dataFolder: string): Promise<number | undefined> {
  try {
    const { pid } = JSON.parse(await files.readFile(join(dataFolder, 'platform.json'), 'utf8')) as { pid: number }
    return pid
  } catch {
    return undefined
  }
}

/** The system gives the lock back when the process ends, however it ends. */
function takeLock(dataFolder: string, holder: number | undefined): DataFolderLock {
  const database = new DatabaseSync(join(dataFolder, 'lock.sqlite'))
  try {
    database.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE')
  } catch (cause) {
    database.close()
    if (!/locked|busy/i.test((cause as Error).message)) throw cause
    const who = holder === undefined ? '' : ` (process ${holder})`
    throw new KaonError('data_locked', `Another platform${who} uses the data folder '${dataFolder}'.`, {
      hint: "Stop it with 'kaon stop', or choose another folder with --data.",
      cause,
    })
  }
  return { release: () => database.close() }
}

const readOnlyCodes = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENOENT'])
const fullCodes = new Set(['ENOSPC', 'EDQUOT'])

function asFolderError(error: unknown, dataFolder: string): unknown {
  const { code, errcode } = error as { code?: string; errcode?: number }
  const hint = 'Choose another folder with --data.'
  // SQLite's own words: 8 read-only, 13 full, 14 cannot open.
  if (fullCodes.has(code ?? '') || errcode === 13)
    return new KaonError('data_full', `The disk with the data folder '${dataFolder}' is full.`, {
      hint: 'Free some space, or choose another folder with --data.',
      cause: error,
    })
  if (readOnlyCodes.has(code ?? '') || errcode === 8 || errcode === 14)
    return new KaonError(
      'data_read_only',
      `The data folder '${dataFolder}' cannot be written${code?.startsWith('E') && code !== 'ERR_SQLITE_ERROR' ? ` (${code})` : ''}.`,
      { hint, cause: error },
    )
  return error
}
