import { type Context, type Event, HttpError } from '@kaon/sdk'

type Links = Map<string, string>

export function init(context: Context) {
  context.userData.links = new Map() satisfies Links
}

/** `POST /` with a URL → a short path; `GET /{code}` → a redirect. Kept in the worker's memory: a sample, not a service. */
export default function shorten(event: Event, context: Context) {
  const links = context.userData.links as Links
  if (event.method === 'POST') {
    const target = URL.parse(event.text().trim())
    if (!target || !/^https?:$/.test(target.protocol)) throw new HttpError(400, 'Send an http or https URL as the body.')
    const code = (links.size + 1).toString(36)
    links.set(code, target.href)
    return { status: 201, headers: { location: `/${code}` }, body: { code, target: target.href } }
  }
  const target = links.get(event.path.slice(1))
  if (!target) throw new HttpError(404, 'There is no such link.')
  return new Response(null, { status: 302, headers: { location: target } })
}
