import { setTimeout as sleep } from 'node:timers/promises'
import { type Context, type Event, HttpError } from '@kaon/sdk'

/** Counts down as server-sent events, one every `ms`: each line is sent when it is made. `?from=5&ms=200` */
export default function countdown(event: Event, context: Context) {
  const from = Number(event.query.get('from') ?? 5)
  const ms = Number(event.query.get('ms') ?? 200)
  if (!Number.isInteger(from) || from < 1 || from > 100) throw new HttpError(400, 'from must be a whole number from 1 to 100')
  if (!(ms >= 0 && ms <= 1000)) throw new HttpError(400, 'ms must be a number from 0 to 1000')
  return { headers: { 'content-type': 'text/event-stream' }, body: lines(from, ms, context.signal) }
}

async function* lines(from: number, ms: number, signal: AbortSignal): AsyncGenerator<string> {
  for (let left = from; left > 0; left--) {
    yield `data: ${left}\n\n`
    // Aborted when the caller goes away: nobody is counted down for.
    await sleep(ms, undefined, { signal })
  }
  yield 'data: lift-off\n\n'
}
