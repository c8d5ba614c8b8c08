import type { Clock, Timer } from '../../base/system.ts'
import type { LocalReplica } from './local-replica.ts'

/** A refill waits a little, so that it does not compete with the start it follows. */
const refillDelayMs = 300
const refillRetryMs = 5_000

export type PoolDeps = { clock: Pick<Clock, 'after'>; size: number; spawn(): Promise<LocalReplica> }

/** Started, empty processes: a new replica is one of them, given its function. */
export class ReplicaPool {
  readonly #deps: PoolDeps
  #waiting: LocalReplica[] = []
  #timer: Timer | undefined
  #closed = false

  constructor(deps: PoolDeps) {
    this.#deps = deps
  }

  get waiting(): readonly LocalReplica[] {
    return this.#waiting
  }

  /** One that waits, those first that are connected; else a fresh one, which is given its function as soon as it dials. */
  async claim(): Promise<LocalReplica> {
    const usable = this.#waiting.filter((replica) => !replica.isGone && !replica.isDraining)
    const chosen = usable.find((replica) => replica.isConnected) ?? usable[0]
    this.#waiting = usable.filter((replica) => replica !== chosen)
    this.refill(refillDelayMs)
    return chosen ?? this.#deps.spawn()
  }

  add(replica: LocalReplica): void {
    this.#waiting.push(replica)
    void replica.ended.then(() => {
      if (!this.#waiting.includes(replica)) return
      this.#waiting = this.#waiting.filter((other) => other !== replica)
      // One that dies while it waits would be replaced for ever: not too often.
      this.refill(refillRetryMs)
    })
  }

  refill(delayMs: number): void {
    if (this.#closed || this.#timer !== undefined) return
    this.#timer = this.#deps.clock.after(delayMs, () => void this.#fill().finally(() => (this.#timer = undefined)), { idle: true })
  }

  /** Fills no more; those that wait are the caller's. */
  close(): readonly LocalReplica[] {
    this.#closed = true
    this.#timer?.cancel()
    return this.#waiting
  }

  async #fill(): Promise<void> {
    try {
      while (!this.#closed && this.#waiting.length < this.#deps.size) this.add(await this.#deps.spawn())
    } catch {
      // The machine has no room for a spare one; a claim will say so if it meets the same.
    }
  }
}
