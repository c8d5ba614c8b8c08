import { type Context, type Event, HttpError } from '@kaon/sdk'

/** `GET /?from=10&count=5` → primes, a line each, streamed as they are found. A caller who goes away ends the search. */
export default function primes(event: Event, context: Context) {
  const from = Number(event.query.get('from') ?? 2)
  const count = Number(event.query.get('count') ?? 10)
  if (!Number.isSafeInteger(from) || from < 0) throw new HttpError(400, 'from is a whole number, 0 or more.')
  if (!Number.isInteger(count) || count < 1 || count > 100_000) throw new HttpError(400, 'count is a whole number from 1 to 100000.')
  return { headers: { 'content-type': 'text/plain; charset=utf-8' }, body: find(from, count, context.signal) }
}

async function* find(from: number, count: number, signal: AbortSignal) {
  for (let n = Math.max(2, from), found = 0; found < count && !signal.aborted; n++) {
    if (!isPrime(n)) continue
    found++
    yield `${n}\n`
  }
}

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false
  return true
}
