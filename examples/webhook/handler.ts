import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Context, type Event, HttpError } from '@kaon/sdk'

/** Takes a GitHub webhook: the signature is checked over the bytes as they came, before anything is parsed. */
export default function webhook(event: Event, context: Context) {
  const secret = process.env.WEBHOOK_SECRET
  if (!secret) throw new Error('WEBHOOK_SECRET is not set')
  const given = Buffer.from(event.headers.get('x-hub-signature-256') ?? '')
  const wanted = Buffer.from(`sha256=${createHmac('sha256', secret).update(event.body).digest('hex')}`)
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw new HttpError(401, 'The signature does not fit the body.')

  const push = event.json<{ ref?: string; commits?: { id: string; message: string }[] }>()
  context.logger.info('push received', { ref: push.ref, commits: push.commits?.length ?? 0 })
  return { branch: push.ref?.replace('refs/heads/', ''), subjects: (push.commits ?? []).map((commit) => commit.message.split('\n')[0]) }
}
