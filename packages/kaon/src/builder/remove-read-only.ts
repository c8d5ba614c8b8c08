import { join } from 'node:path'
import type { System } from '../base/system.ts'

/** Removes a folder in which a tool may have left read-only folders, from which only root may remove: they are made writable first. */
export async function removeReadOnly(files: Pick<System['files'], 'chmod' | 'readdir' | 'rm'>, folder: string): Promise<void> {
  const open = async (path: string): Promise<void> => {
    await files.chmod(path, 0o700)
    for (const entry of await files.readdir(path, { withFileTypes: true })) if (entry.isDirectory()) await open(join(path, entry.name))
  }
  await open(folder).catch(() => {})
  await files.rm(folder, { recursive: true, force: true })
}
