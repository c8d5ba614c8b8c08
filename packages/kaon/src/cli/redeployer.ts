import type { System, Timer } from '../base/system.ts'

/** Editors write a file in several steps; what comes within this is one change. */
const settleMs = 20

/** Runs `deploy` at once, and again after each change; a change during a deploy ends that one's waiting and begins the next. */
export type Redeployer = { changed(): void; now(): void; stop(): Promise<void> }

export function createRedeployer(clock: Pick<System['clock'], 'after'>, deploy: (signal: AbortSignal) => Promise<void>): Redeployer {
  let timer: Timer | undefined
  let running: { abort: AbortController; end: Promise<void> } | undefined
  let isWanted = false
  let isStopped = false
  const run = async () => {
    if (isStopped) return
    if (running !== undefined) {
      isWanted = true
      running.abort.abort()
      return
    }
    const abort = new AbortController()
    running = { abort, end: deploy(abort.signal) }
    await running.end
    running = undefined
    if (!isWanted) return
    isWanted = false
    await run()
  }
  return {
    changed() {
      timer?.cancel()
      timer = clock.after(settleMs, () => void run())
    },
    now: () => void run(),
    async stop() {
      isStopped = true
      timer?.cancel()
      running?.abort.abort()
      await running?.end
    },
  }
}
