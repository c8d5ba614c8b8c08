import { type Event, HttpError } from '@kaon/sdk'

/** `GET /?name=Ada` → a greeting as JSON. */
export default function hello(event: Event) {
  const name = event.query.get('name') ?? 'world'
  if (name.length > 100) throw new HttpError(400, `A name has at most 100 characters; this one has ${name.length}.`)
  return { greeting: `Hello, ${name}!` }
}
