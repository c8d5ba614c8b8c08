import { dirname } from 'node:path'
import type { Files } from './system.ts'

/** Makes a folder for this user only, with its parents. Node's own recursive mkdir never returns where a parent exists and yet answers ENOENT, as in /proc. */
export async function makeFolder(files: Pick<Files, 'mkdir' | 'existsSync'>, folder: string): Promise<void> {
  if (files.existsSync(folder)) return
  if (dirname(folder) !== folder) await makeFolder(files, dirname(folder))
  await files.mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}
