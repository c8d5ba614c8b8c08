import type { CallServices } from './call-plan.ts'
import type { Slot } from './dispatcher.ts'
import { createTimed } from './timer-wheel.ts'
import type { WorkerStream } from './worker-stream.ts'

/** A worker that never says that a handler has settled does not lose the place for good; it refuses itself what it has no room for. */
const longestMs = 60_000

/** Nobody waits for this call any more, but its handler may run on: it keeps its place until the worker says that it has settled, or is gone. */
export function abandon(
  at: Slot,
  stream: WorkerStream,
  reason: number,
  services: Pick<CallServices, 'clock' | 'dispatcher' | 'wheel'>,
): void {
  const { clock, dispatcher, wheel } = services
  let isFree = false
  const free = () => {
    if (isFree) return
    isFree = true
    wheel.remove(timer)
    dispatcher.finished(at)
  }
  const timer = createTimed(free)
  wheel.add(timer, clock.monotonic() + longestMs)
  at.target.connection.cancel(stream, reason, free)
}
