import { KaonError } from '../base/errors.ts'
import type { WatchBacklog } from './sqlite-backlog.ts'
import type { EventRow } from './sqlite-messages.ts'

/** What a watcher is given next: an event, or how far nothing happened. */
export type Delivery = { kind: 'event'; event: EventRow } | { kind: 'bookmark'; version: number }

/** Of one watch, and in all: events, and characters of their JSON. */
export type WatchLimits = { events: number; size: number; sizeInAll: number }

type WatchScope = { resource: string; namespace?: string }

/** The live end of one watch: holds what its reader has not taken yet, up to the limits. */
export class WatchQueue {
  readonly #scope: WatchScope
  readonly #limits: Pick<WatchLimits, 'events' | 'size'>
  readonly #backlog: WatchBacklog
  #waiting: Delivery[] = []
  #size = 0
  #wake: (() => void) | undefined
  #end: { error?: KaonError } | undefined
  #isIdle = true

  constructor(scope: WatchScope, limits: Pick<WatchLimits, 'events' | 'size'>, backlog: WatchBacklog) {
    this.#scope = scope
    this.#limits = limits
    this.#backlog = backlog
  }

  /** Characters of JSON that wait for the reader. */
  get size(): number {
    return this.#size
  }

  push(event: EventRow): void {
    const { resource, namespace } = this.#scope
    if (event.key.resource !== resource || (namespace !== undefined && event.key.namespace !== namespace)) return
    this.#isIdle = false
    if (this.#end !== undefined) return
    if (this.#waiting.length >= this.#limits.events) this.expire(`more than ${this.#limits.events} events behind`)
    // However large it is, one event may wait.
    else if (this.#size > 0 && this.#size + event.json.length > this.#limits.size)
      this.expire(`more than ${this.#limits.size} bytes behind`)
    else {
      this.#size += event.json.length
      this.#backlog.hold(event)
      this.#add({ kind: 'event', event })
    }
  }

  expire(how: string): void {
    this.close(new KaonError('expired', `The watch fell ${how}.`, { hint: 'List again and watch from there.' }))
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
    for (const delivery of this.#waiting) this.#release(delivery)
    this.#waiting = []
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Delivery> {
    for (;;) {
      const next = this.#waiting.shift()
      if (next !== undefined) {
        this.#release(next)
        yield next
      } else if (this.#end?.error !== undefined) throw this.#end.error
      else if (this.#end !== undefined) return
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  #release(delivery: Delivery): void {
    if (delivery.kind !== 'event') return
    this.#size -= delivery.event.json.length
    this.#backlog.release(delivery.event)
  }

  #add(delivery: Delivery): void {
    if (this.#end !== undefined) return
    this.#waiting.push(delivery)
    this.#wake?.()
  }
}
