/** A replica as balancing sees it. */
export type PoolReplica<C> = {
  readonly id: string
  /** Calls that were sent to it and are not yet answered. */
  inFlight: number
  workers: PoolWorker<C>[]
}

/** A worker that takes calls, and what the caller reaches it by. */
export type PoolWorker<C> = {
  readonly replica: PoolReplica<C>
  readonly target: C
  inFlight: number
  /** Refused a call as full though we thought it had room: left alone until something ends there, or for a moment. */
  isFull: boolean
}

/**
 * The replicas of one revision and which of them takes the next call: the one with fewer calls of two random ones, and any with room when
 * neither has. Within a replica the worker with fewest. A decision without I/O: the caller connects, sends and tells what ended.
 */
export class RevisionPool<C> {
  /** Calls in flight in one replica; 0 is unlimited. */
  limit: number
  readonly #draw: () => number
  /** Only those with at least one worker. */
  readonly #replicas: PoolReplica<C>[] = []
  #inFlight = 0

  constructor(limit: number, draw: () => number) {
    this.limit = limit
    this.#draw = draw
  }

  get hasWorkers(): boolean {
    return this.#replicas.length > 0
  }

  get inFlight(): number {
    return this.#inFlight
  }

  add(replica: PoolReplica<C>, target: C): PoolWorker<C> {
    const worker = { replica, target, inFlight: 0, isFull: false }
    if (replica.workers.length === 0) this.#replicas.push(replica)
    replica.workers.push(worker)
    return worker
  }

  /** It takes no more calls; those it has are still counted until they end. */
  remove(worker: PoolWorker<C>): void {
    const { replica } = worker
    const at = replica.workers.indexOf(worker)
    if (at === -1) return
    replica.workers.splice(at, 1)
    if (replica.workers.length === 0) this.#replicas.splice(this.#replicas.indexOf(replica), 1)
  }

  /** Takes a place in the best worker with room; undefined when there is none. */
  take(): PoolWorker<C> | undefined {
    const replica = this.#choose()
    if (replica === undefined) return undefined
    const worker = freest(replica.workers, this.#draw()) as PoolWorker<C>
    worker.inFlight++
    replica.inFlight++
    this.#inFlight++
    return worker
  }

  /** Gives the place back. */
  release(worker: PoolWorker<C>): void {
    worker.inFlight--
    worker.replica.inFlight--
    worker.isFull = false
    this.#inFlight--
  }

  #choose(): PoolReplica<C> | undefined {
    const count = this.#replicas.length
    if (count === 0) return undefined
    const first = Math.floor(this.#draw() * count)
    const a = this.#replicas[first] as PoolReplica<C>
    if (count > 1) {
      const b = this.#replicas[(first + 1 + Math.floor(this.#draw() * (count - 1))) % count] as PoolReplica<C>
      const better = b.inFlight < a.inFlight ? b : a
      if (this.#hasRoom(better)) return better
      for (let i = 0; i < count; i++) {
        const other = this.#replicas[(first + i) % count] as PoolReplica<C>
        if (this.#hasRoom(other)) return other
      }
      return undefined
    }
    return this.#hasRoom(a) ? a : undefined
  }

  #hasRoom(replica: PoolReplica<C>): boolean {
    if (this.limit !== 0 && replica.inFlight >= this.limit) return false
    for (const worker of replica.workers) if (!worker.isFull) return true
    return false
  }
}

function freest<C>(workers: readonly PoolWorker<C>[], draw: number): PoolWorker<C> | undefined {
  const start = Math.floor(draw * workers.length)
  let best: PoolWorker<C> | undefined
  for (let i = 0; i < workers.length; i++) {
    const worker = workers[(start + i) % workers.length] as PoolWorker<C>
    if (!worker.isFull && (best === undefined || worker.inFlight < best.inFlight)) best = worker
  }
  return best
}
