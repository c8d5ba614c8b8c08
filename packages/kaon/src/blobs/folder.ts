import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { asDiskError } from '../base/disk-errors.ts'
import { KaonError } from '../base/errors.ts'
import { syncPath } from '../base/sync-files.ts'
import type { Clock, FileHandle, Files, Random } from '../base/system.ts'
import { digestPattern } from '../model/schema.ts'
import type { BlobStore } from './blob-store.ts'

const digestShape = new RegExp(digestPattern)
const hexShape = /^[0-9a-f]{64}$/
/** A half-written upload of a platform that was killed is swept after this long. */
const abandonedAfterMs = 3_600_000

export type FolderBlobStoreDeps = {
  folder: string
  files: Pick<Files, 'mkdir' | 'open' | 'readdir' | 'rename' | 'rm' | 'stat'>
  clock: Pick<Clock, 'now'>
  random: Pick<Random, 'uuid'>
}

/** Blobs as files `sha256/<hex>` of a folder. What `put` answered is on the disk. */
export function createFolderBlobStore({ folder, files, clock, random }: FolderBlobStoreDeps): BlobStore {
  const blobs = join(folder, 'sha256')
  const incoming = join(folder, 'incoming')
  let prepared: Promise<void> | undefined

  async function prepare(): Promise<void> {
    await files.mkdir(blobs, { recursive: true, mode: 0o700 })
    await files.mkdir(incoming, { recursive: true, mode: 0o700 })
    for (const name of await files.readdir(incoming)) {
      const path = join(incoming, name)
      const { mtimeMs } = await files.stat(path)
      if (clock.now() - mtimeMs > abandonedAfterMs) await files.rm(path, { force: true })
    }
  }

  return {
    async put(content, limitBytes) {
      prepared ??= prepare().catch((error) => {
        prepared = undefined
        throw error
      })
      await prepared
      const path = join(incoming, random.uuid())
      try {
        const { hex, bytes } = await writeHashed(files, path, content, limitBytes)
        // Over one of the same content as well: the new time of change tells the collector that it is wanted.
        await files.rename(path, join(blobs, hex))
        // A rename is on the disk once its folder is.
        await syncPath(files, blobs)
        return { digest: `sha256:${hex}`, bytes }
      } catch (error) {
        await files.rm(path, { force: true })
        throw asDiskError(error)
      }
    },
    async get(digest) {
      const hex = hexOf(digest)
      const handle = await openIfThere(files, join(blobs, hex))
      return handle === undefined ? undefined : readChecked(handle, hex)
    },
    async list() {
      const names = await files.readdir(blobs).catch(ignoreMissing<string[]>([]))
      const found = await Promise.all(
        names
          .filter((name) => hexShape.test(name))
          .map(async (hex) => {
            const stat = await files.stat(join(blobs, hex)).catch(ignoreMissing(undefined))
            return stat && { digest: `sha256:${hex}`, putAt: stat.mtimeMs }
          }),
      )
      return found.filter((blob) => blob !== undefined)
    },
    async remove(digest) {
      await files.rm(join(blobs, hexOf(digest)), { force: true })
    },
  }
}

/** Only what is a digest becomes a file name. */
function hexOf(digest: string): string {
  if (!digestShape.test(digest))
    throw new KaonError('invalid_request', `Give a digest as 'sha256:' and 64 hexadecimal digits, not '${digest.slice(0, 100)}'.`)
  return digest.slice('sha256:'.length)
}

async function writeHashed(files: Pick<Files, 'open'>, path: string, content: AsyncIterable<Uint8Array>, limitBytes: number) {
  const hash = createHash('sha256')
  const handle = await files.open(path, 'wx', 0o600)
  let bytes = 0
  try {
    for await (const chunk of content) {
      bytes += chunk.length
      if (bytes > limitBytes)
        throw new KaonError('body_too_large', `Send at most ${limitBytes} bytes; this is more.`, {
          hint: 'Leave out what the build does not need, such as node_modules.',
        })
      hash.update(chunk)
      await handle.writeFile(chunk)
    }
    await handle.sync()
  } finally {
    await handle.close()
  }
  return { hex: hash.digest('hex'), bytes }
}

async function* readChecked(handle: FileHandle, hex: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  try {
    const buffer = Buffer.allocUnsafe(65_536)
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null)
      if (bytesRead === 0) break
      hash.update(buffer.subarray(0, bytesRead))
      yield Buffer.from(buffer.subarray(0, bytesRead))
    }
  } finally {
    await handle.close()
  }
  if (hash.digest('hex') !== hex)
    throw new KaonError('checksum_mismatch', `The stored content of 'sha256:${hex}' is damaged.`, { hint: 'Upload it again.' })
}

async function openIfThere(files: Pick<Files, 'open'>, path: string): Promise<FileHandle | undefined> {
  return files.open(path, 'r').catch(ignoreMissing(undefined))
}

function ignoreMissing<T>(otherwise: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return otherwise
    throw error
  }
}
