import { dirname } from 'node:path'
import type { Log } from '../base/log.ts'
import type { Files } from '../base/system.ts'
import type { RoutingTable } from '../model/routing-table.ts'

export type TableFileDeps = { files: Pick<Files, 'mkdir' | 'readFile' | 'writeFile' | 'rename'>; log: Log; path: string }

/** The last routing table on disk, so that a gateway that starts serves at once, whether the control plane is there or not. */
export class TableFile {
  readonly #deps: TableFileDeps
  #wanted: RoutingTable | undefined
  #writing: Promise<void> | undefined

  constructor(deps: TableFileDeps) {
    this.#deps = deps
  }

  /** The table that was kept; undefined when there is none that can be read. */
  async load(): Promise<RoutingTable | undefined> {
    let text: string
    try {
      text = await this.#deps.files.readFile(this.#deps.path, 'utf8')
    } catch {
      return undefined
    }
    try {
      const table = JSON.parse(text) as RoutingTable
      if ([table.functions, table.revisions, table.routes].every(Array.isArray)) return table
    } catch {
      // As below: one that was cut off or changed by hand is like none.
    }
    this.#deps.log.warn('The routing table on disk cannot be read; waiting for the control plane.', { path: this.#deps.path })
    return undefined
  }

  /** Keeps the newest; those that came while one was being written are skipped. */
  keep(table: RoutingTable): void {
    this.#wanted = table
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  async flushed(): Promise<void> {
    await this.#writing
  }

  async #write(): Promise<void> {
    const { files, path, log } = this.#deps
    while (this.#wanted !== undefined) {
      const table = this.#wanted
      this.#wanted = undefined
      try {
        await files.mkdir(dirname(path), { recursive: true, mode: 0o700 })
        await files.writeFile(`${path}.new`, JSON.stringify(table), { mode: 0o600 })
        await files.rename(`${path}.new`, path)
      } catch (error) {
        // Serving does not depend on it; the next table is tried again.
        log.warn('The routing table could not be written to disk.', { path, reason: String(error) })
      }
    }
  }
}
