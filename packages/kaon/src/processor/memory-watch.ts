import type { Clock } from '../base/system.ts'

const periodMs = 1_000
/** After its workers were replaced, a replica has this long to be small again. */
const reliefMs = 15_000

export type MemoryWatchDeps = {
  clock: Pick<Clock, 'monotonic'>
  limitBytes: number
  memoryBytes(): number
  replaceWorkers(reason: string): void
  giveUp(message: string): void
}

/** Buffers do not count towards a worker's heap limit, so the process as a whole is watched: first fresh workers, then the end. */
export class MemoryWatch {
  readonly #deps: MemoryWatchDeps
  #nextLook = 0
  #replacedAt: number | undefined

  constructor(deps: MemoryWatchDeps) {
    this.#deps = deps
  }

  /** Called often; looks once a second. */
  look(): void {
    const now = this.#deps.clock.monotonic()
    if (now < this.#nextLook) return
    this.#nextLook = now + periodMs
    const { limitBytes } = this.#deps
    const bytes = this.#deps.memoryBytes()
    if (bytes <= limitBytes) {
      if (this.#replacedAt !== undefined && now - this.#replacedAt > reliefMs) this.#replacedAt = undefined
      return
    }
    const text = `the replica takes ${mebibytes(bytes)} of memory, far more than the ${mebibytes(limitBytes)} that it may`
    if (bytes > 2 * limitBytes || (this.#replacedAt !== undefined && now - this.#replacedAt > reliefMs)) this.#deps.giveUp(`${text}.`)
    else if (this.#replacedAt === undefined) {
      this.#replacedAt = now
      this.#deps.replaceWorkers(text)
    }
  }
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`
}
