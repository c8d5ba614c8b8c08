import { type BackoffOptions, backoffMs } from '../base/retry.ts'
import type { System } from '../base/system.ts'
import type { LogRecord } from '../model/log-record.ts'
import type { ApiClient } from './api-client.ts'

const backoff: BackoffOptions = { firstMs: 100, maxMs: 3000 }

/** Records as they come; a broken connection is made again and goes on after the last record seen, without repeating any. */
export async function* followLogs(
  deps: { api: ApiClient; clock: System['clock']; random: System['random']; onBreak?: (error: Error) => void },
  path: string,
  query: Record<string, string>,
  signal: AbortSignal,
): AsyncGenerator<LogRecord> {
  let since: string | undefined
  /** Lines of the last moment seen: the next connection starts at that moment and sends them again. */
  let lastMoment = new Set<string>()
  let failures = 0
  let wasOpen = false
  const onOpen = () => {
    wasOpen = true
  }
  while (!signal.aborted) {
    try {
      const search = new URLSearchParams({ ...query, follow: '1', ...(since === undefined ? {} : { since }) })
      if (since !== undefined) search.delete('tail')
      for await (const line of deps.api.lines(`${path}?${search}`, signal, onOpen)) {
        failures = 0
        const record = JSON.parse(line) as LogRecord
        if (since !== undefined && (record.ts < since || lastMoment.has(line))) continue
        if (record.ts !== since) lastMoment = new Set()
        since = record.ts
        lastMoment.add(line)
        yield record
      }
    } catch (error) {
      const { code } = error as { code?: string }
      if (signal.aborted) return
      // The first connection must work; later ones are worth waiting for.
      if (code !== 'server_unreachable' || !wasOpen) throw error
      if (failures === 0) deps.onBreak?.(error as Error)
    }
    failures += 1
    await deps.clock.sleep(backoffMs(failures, backoff, deps.random), signal).catch(() => undefined)
  }
}
