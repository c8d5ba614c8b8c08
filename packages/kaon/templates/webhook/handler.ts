import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Context, type Event, HttpError } from '@kaon/sdk'

/** Takes a webhook signed as GitHub does: `x-hub-signature-256: sha256=<HMAC of the body>`. */
export default function webhook(event: Event, context: Context): { accepted: string } {
  const secret = process.env['WEBHOOK_SECRET']
  if (!secret) throw new HttpError(503, 'WEBHOOK_SECRET is not set')
  if (event.method !== 'POST') throw new HttpError(405, 'POST only', { headers: { allow: 'POST' } })
  if (!isSigned(event.body, event.headers.get('x-hub-signature-256') ?? '', secret)) throw new HttpError(401, 'the signature is wrong')
  const kind = event.headers.get('x-github-event') ?? 'unknown'
  const { action } = event.json<{ action?: string }>()
  context.logger.info('webhook', { kind, action })
  return { accepted: kind }
}

function isSigned(body: Uint8Array, signature: string, secret: string): boolean {
  const expected = Buffer.from(`sha256=${createHmac('sha256', secret).update(body).digest('hex')}`)
  const given = Buffer.from(signature)
  // Equal times for equal lengths: the time taken tells nothing of how much was right.
  return given.length === expected.length && timingSafeEqual(given, expected)
}
