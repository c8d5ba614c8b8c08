import type { EventRow } from './sqlite-messages.ts'

/** What all watches of a store hold together. An event that waits for many readers is there once, and counts once. */
export class WatchBacklog {
  readonly #readers = new Map<EventRow, number>()
  #size = 0

  /** In characters of JSON. */
  get size(): number {
    return this.#size
  }

  hold(event: EventRow): void {
    const readers = this.#readers.get(event) ?? 0
    if (readers === 0) this.#size += event.json.length
    this.#readers.set(event, readers + 1)
  }

  release(event: EventRow): void {
    const readers = this.#readers.get(event) ?? 0
    if (readers > 1) this.#readers.set(event, readers - 1)
    else if (this.#readers.delete(event)) this.#size -= event.json.length
  }
}
