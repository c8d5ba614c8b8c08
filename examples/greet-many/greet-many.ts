import { type Context, type Event, HttpError } from '@kaon/sdk'

/** `POST ["Ada", "Grace"]` → one greeting each, made by the `hello` function. */
export default async function greetMany(event: Event, context: Context) {
  const names = event.json<string[]>()
  if (!Array.isArray(names) || names.length > 20) throw new HttpError(400, 'Send a JSON list of at most 20 names.')
  return Promise.all(
    names.map(async (name) => {
      const answer = await context.invoke('hello', undefined, { method: 'GET', path: `/?name=${encodeURIComponent(String(name))}` })
      if (!answer.ok) throw new HttpError(answer.status, `hello refused '${String(name).slice(0, 20)}…'.`)
      return ((await answer.json()) as { greeting: string }).greeting
    }),
  )
}
