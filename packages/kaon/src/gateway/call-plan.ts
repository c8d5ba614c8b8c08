import type { RequestHead } from '../base/frames/head.ts'
import type { Log } from '../base/log.ts'
import type { Clock } from '../base/system.ts'
import type { Wanted } from './choose-revision.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { GatewayMetrics } from './gateway-metrics.ts'
import type { GatewayLimits } from './limits.ts'
import type { TimerWheel } from './timer-wheel.ts'

/** What was decided about a call from its head alone. */
export type CallPlan = {
  wanted: Wanted
  head: RequestHead
  /** On the monotonic clock. */
  receivedAt: number
  /** Of the rule, instead of the function's own. */
  timeoutMs: number | undefined
  /** What the function that calls has left of its own time: never more than this. */
  callerTimeoutMs: number | undefined
  /** 0 when there is no body, undefined when its length is not announced. */
  bodyBytes: number | undefined
  /** Headers of every answer to it, refusals included. */
  addedHeaders: readonly string[]
  /** Headers that the function may not give. */
  refusedHeaderNames: ReadonlySet<string> | undefined
  wantsTiming: boolean
}

/** When a call must be answered, on the monotonic clock; 0 is never. `ownMs` is the function's own timeout, 0 for none. */
export function dueAtOf({ receivedAt, timeoutMs, callerTimeoutMs }: CallPlan, ownMs: number): number {
  const given = timeoutMs ?? ownMs
  const ms = callerTimeoutMs === undefined ? given : given === 0 ? callerTimeoutMs : Math.min(given, callerTimeoutMs)
  return ms === 0 ? 0 : receivedAt + ms
}

export type CallServices = {
  clock: Pick<Clock, 'monotonic'>
  wheel: TimerWheel
  dispatcher: Dispatcher
  metrics: GatewayMetrics
  limits: GatewayLimits
  log: Pick<Log, 'error'>
}
