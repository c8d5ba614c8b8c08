import type { FileHandle, Files } from '../base/system.ts'

export type RotatingFileOptions = {
  path: string
  /** A file that has reached this size is put aside before the next line. */
  limitBytes?: number
  /** Files kept in all: the path itself, then `.1`, `.2` … */
  keptFiles?: number
}

/** Appends whole lines to a file that is put aside when it grows. One writer; callers await one append before the next. */
export class RotatingFile {
  readonly #files: Pick<Files, 'open' | 'rename'>
  readonly #path: string
  readonly #limitBytes: number
  readonly #keptFiles: number
  #handle: FileHandle | undefined
  #bytes = 0

  constructor(files: Pick<Files, 'open' | 'rename'>, options: RotatingFileOptions) {
    this.#files = files
    this.#path = options.path
    this.#limitBytes = options.limitBytes ?? 10 * 1024 * 1024
    this.#keptFiles = options.keptFiles ?? 3
  }

  /** Rejects when the disk does not take it; what is then in the file may end in a part of a line. */
  async append(text: string): Promise<void> {
    if (this.#handle !== undefined && this.#bytes >= this.#limitBytes) await this.#rotate()
    this.#handle ??= await this.#open()
    const bytes = Buffer.from(text)
    await this.#handle.appendFile(bytes)
    this.#bytes += bytes.length
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }

  async #open(): Promise<FileHandle> {
    const handle = await this.#files.open(this.#path, 'a', 0o600)
    this.#bytes = (await handle.stat()).size
    return handle
  }

  async #rotate(): Promise<void> {
    await this.close()
    for (let age = this.#keptFiles - 1; age >= 1; age--) {
      const from = age === 1 ? this.#path : `${this.#path}.${age - 1}`
      await this.#files.rename(from, `${this.#path}.${age}`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
    }
  }
}
