import { join } from 'node:path'
import type { Files } from './system.ts'

const filesAtOnce = 16

/** Has the disk take what was written to a file, or the names in a folder, before it resolves. */
export async function syncPath(files: Pick<Files, 'open'>, path: string): Promise<void> {
  const handle = await files.open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** The same for a folder with everything in it. */
export async function syncTree(files: Pick<Files, 'open' | 'readdir'>, folder: string): Promise<void> {
  const entries = await files.readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile() || entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name))
  const queue = paths[Symbol.iterator]()
  const work = async () => {
    for (const path of queue) await syncPath(files, path)
  }
  await Promise.all(Array.from({ length: filesAtOnce }, work))
  await syncPath(files, folder)
}
