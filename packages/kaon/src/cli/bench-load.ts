import type { Agent, System } from '../base/system.ts'
import { LatencyHistogram } from './latency-histogram.ts'

export type LoadPlan = {
  /** Where to connect; the name in `host` is sent as the Host header. */
  target: { hostname: string; port: number; host: string; path: string }
  method: string
  headers: Record<string, string>
  body: Buffer | undefined
  connections: number
  /** Ends after this many calls, or after `durationMs`, whichever comes first. */
  requests: number
  durationMs: number
}

export type LoadResult = {
  calls: number
  elapsedMs: number
  statuses: Record<string, number>
  /** Calls without an answer, by their cause. */
  failures: Record<string, number>
  bytes: number
  latency: LatencyHistogram
}

/** Each connection sends its next call when its last one was answered (a closed loop), until the plan's end. */
export async function runLoad(
  { network, clock }: Pick<System, 'network' | 'clock'>,
  plan: LoadPlan,
  signal: AbortSignal,
): Promise<LoadResult> {
  const result: LoadResult = { calls: 0, elapsedMs: 0, statuses: {}, failures: {}, bytes: 0, latency: new LatencyHistogram() }
  const agent = network.httpAgent({ keepAlive: true, maxSockets: plan.connections })
  const startedAt = clock.monotonic()
  const isOver = () => signal.aborted || clock.monotonic() - startedAt >= plan.durationMs
  let begun = 0
  const loop = async () => {
    while (begun < plan.requests && !isOver()) {
      begun += 1
      const sentAt = clock.monotonic()
      await callOnce(network, agent, plan, result)
      result.latency.add(clock.monotonic() - sentAt)
      result.calls += 1
    }
  }
  await Promise.all(Array.from({ length: Math.min(plan.connections, plan.requests) }, loop))
  result.elapsedMs = clock.monotonic() - startedAt
  agent.destroy()
  return result
}

function callOnce(
  network: System['network'],
  agent: Agent,
  { target, method, headers, body }: LoadPlan,
  result: LoadResult,
): Promise<void> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => {
      const cause = error.code ?? 'closed'
      result.failures[cause] = (result.failures[cause] ?? 0) + 1
      resolve()
    }
    const request = network.httpRequest({
      agent,
      method,
      hostname: target.hostname,
      port: target.port,
      path: target.path,
      headers: { host: target.host, ...headers, ...(body === undefined ? {} : { 'content-length': body.length }) },
    })
    request.on('error', failed)
    request.on('response', (answer) => {
      answer.on('data', (part: Buffer) => {
        result.bytes += part.length
      })
      answer.on('error', failed)
      answer.on('end', () => {
        const status = String(answer.statusCode)
        result.statuses[status] = (result.statuses[status] ?? 0) + 1
        resolve()
      })
    })
    request.end(body)
  })
}
