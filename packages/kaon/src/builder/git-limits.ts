import { join } from 'node:path'
import { KaonError } from '../base/errors.ts'
import type { System } from '../base/system.ts'
import { archiveLimits } from './archive-entry.ts'

const lookEveryMs = 100
const tarBlockBytes = 512

/**
 * Adds up a commit as `git ls-tree -r -t -l` lists it, before anything of it is packed: a megabyte of repository may hold a terabyte of files.
 * Throws `archive_too_large` or `archive_unsafe` at the line that is too much.
 */
export function createTreeLimit(): (line: string) => void {
  let entries = 0
  let bytes = 0
  return (line) => {
    const [about = '', path = ''] = line.split('\t')
    const size = Number(/ (\d+)$/.exec(about)?.[1] ?? 0)
    bytes += tarBlockBytes + Math.ceil(size / tarBlockBytes) * tarBlockBytes
    if (++entries > archiveLimits.entries) throw tooLarge(`its commit has more than ${archiveLimits.entries} files and folders`)
    if (bytes > archiveLimits.packedBytes) throw tooLarge(`the files of its commit have more than ${archiveLimits.packedBytes} bytes`)
    // What git quotes takes up to four characters for one; the exact check is made as the archive is unpacked.
    if (path.length > archiveLimits.pathBytes * 4)
      throw new KaonError('archive_unsafe', `The repository was not used: a path in it has more than ${archiveLimits.pathBytes} bytes.`)
  }
}

/** Calls `onOver` with `archive_too_large` as soon as the folder has more than `maxBytes`. `stop` looks a last time. */
export function limitFolder(
  folder: string,
  maxBytes: number,
  onOver: (error: KaonError) => void,
  { clock, files }: Pick<System, 'clock' | 'files'>,
): { stop(): Promise<void> } {
  const look = async () => {
    if ((await folderBytes(folder, files)) > maxBytes) onOver(tooLarge(`it has more than ${maxBytes} bytes`))
  }
  let looking = Promise.resolve()
  const timer = clock.every(lookEveryMs, () => {
    looking = looking.then(look)
  })
  return {
    stop() {
      timer.cancel()
      return looking.then(look)
    },
  }
}

async function folderBytes(folder: string, files: Pick<System['files'], 'readdir' | 'lstat'>): Promise<number> {
  const entries = await files.readdir(folder, { withFileTypes: true }).catch(() => [])
  let sum = 0
  for (const entry of entries) {
    const path = join(folder, entry.name)
    // What git renames or removes meanwhile counts at the next look.
    sum += entry.isDirectory() ? await folderBytes(path, files) : ((await files.lstat(path).catch(() => undefined))?.size ?? 0)
  }
  return sum
}

function tooLarge(what: string): KaonError {
  return new KaonError('archive_too_large', `The repository was not used: ${what}.`, {
    hint: 'Keep what the function does not need out of the repository, or give a built archive in spec.source.archive.',
  })
}
