import type { Clock, Timer } from '../../base/system.ts'
import type { LocalReplica } from './local-replica.ts'

/** Five beats that did not come. */
const silenceMs = 10_000

export type SilenceCheckDeps = {
  clock: Pick<Clock, 'every' | 'monotonic'>
  replicas(): Iterable<Pick<LocalReplica, 'endIfSilent' | 'excuseSilence'>>
  /** How long a replica may be silent. */
  silenceMs?: number
}

/** Looks regularly for replicas that hang as a whole: stopped, deadlocked, or starved for longer than any caller waits. */
export function watchSilence(deps: SilenceCheckDeps): Timer {
  const { clock, replicas, silenceMs: maxMs = silenceMs } = deps
  const periodMs = maxMs / 10
  let lookedAt = clock.monotonic()
  const look = () => {
    const now = clock.monotonic()
    const lateMs = now - lookedAt - periodMs
    lookedAt = now
    // This process stood still itself (a laptop asleep, a long pause), and what came meanwhile is not read yet: everyone starts afresh.
    const wasAway = lateMs > maxMs / 2
    for (const replica of replicas()) {
      if (wasAway) replica.excuseSilence()
      else replica.endIfSilent(maxMs)
    }
  }
  return clock.every(periodMs, look, { idle: true })
}
