import type { Clock, Random } from './system.ts'

type Pending = { at: number; action: () => void; everyMs?: number }

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #now: number
  #pending: Pending[] = []

  constructor(startMs = 1_700_000_000_000) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  after(delayMs: number, action: () => void) {
    return this.#add({ at: this.#now + delayMs, action })
  }

  endOfTurn(action: () => void) {
    queueMicrotask(action)
  }

  every(periodMs: number, action: () => void) {
    return this.#add({ at: this.#now + periodMs, action, everyMs: periodMs })
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const timer = this.after(delayMs, resolve)
      signal?.addEventListener('abort', () => {
        timer.cancel()
        reject(signal.reason)
      })
    })
  }

  /** Moves time on and runs what falls due, in order, letting promises settle between. */
  async advance(byMs: number): Promise<void> {
    const end = this.#now + byMs
    for (;;) {
      const next = this.#pending.filter((p) => p.at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#now = next.at
      if (next.everyMs === undefined) this.#pending = this.#pending.filter((p) => p !== next)
      else next.at += next.everyMs
      next.action()
      await settle()
    }
    this.#now = end
    await settle()
  }

  #add(pending: Pending) {
    this.#pending.push(pending)
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((p) => p !== pending)
      },
    }
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

/** Randomness from a seed (mulberry32): the same seed gives the same run. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const bytes = (count: number) => Buffer.from(Array.from({ length: count }, () => Math.floor(fraction() * 256)))
  const uuid = () =>
    bytes(16)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return { uuid, bytes, fraction }
}
