import { KaonError } from '../base/errors.ts'
import type { EventRow } from './sqlite-messages.ts'

/** What a watcher is given next: an event, or how far nothing happened. */
export type Delivery = { kind: 'event'; event: EventRow } | { kind: 'bookmark'; version: number }

type WatchScope = { resource: string; namespace?: string }

/** The live end of one watch: holds what its reader has not taken yet, up to a limit. */
export class WatchQueue {
  readonly #scope: WatchScope
  readonly #maxEvents: number
  #waiting: Delivery[] = []
  #wake: (() => void) | undefined
  #end: { error?: KaonError } | undefined
  #isIdle = true

  constructor(scope: WatchScope, maxEvents: number) {
    this.#scope = scope
    this.#maxEvents = maxEvents
  }

  push(event: EventRow): void {
    const { resource, namespace } = this.#scope
    if (event.key.resource !== resource || (namespace !== undefined && event.key.namespace !== namespace)) return
    this.#isIdle = false
    if (this.#waiting.length < this.#maxEvents) this.#add({ kind: 'event', event })
    else
      this.close(
        new KaonError('expired', `The watch fell more than ${this.#maxEvents} events behind.`, {
          hint: 'List again and watch from there.',
        }),
      )
  }

  /** Tells how far it has seen, where nothing came since the last time and nothing waits. */
  bookmark(version: number): void {
    if (this.#isIdle && this.#waiting.length === 0) this.#add({ kind: 'bookmark', version })
    this.#isIdle = true
  }

  /** Ends the stream: with an error at once, without one too. */
  close(error?: KaonError): void {
    if (this.#end !== undefined) return
    this.#end = error === undefined ? {} : { error }
    this.#waiting = []
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Delivery> {
    for (;;) {
      const next = this.#waiting.shift()
      if (next !== undefined) yield next
      else if (this.#end?.error !== undefined) throw this.#end.error
      else if (this.#end !== undefined) return
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  #add(delivery: Delivery): void {
    if (this.#end !== undefined) return
    this.#waiting.push(delivery)
    this.#wake?.()
  }
}
