type Note = { id: string; text: string }

/** Kept in this worker's memory: gone with it, and not shared with others. Bindings to stores come later. */
const notes = new Map<string, Note>()

async function createNote(request: Request): Promise<Response> {
  const body: unknown = await request.json().catch(() => undefined)
  const text = (body as { text?: unknown } | undefined)?.text
  if (typeof text !== 'string' || text === '') return Response.json({ error: 'Send {"text": "…"}.' }, { status: 400 })
  const note = { id: crypto.randomUUID(), text }
  notes.set(note.id, note)
  return Response.json(note, { status: 201, headers: { location: `notes/${note.id}` } })
}

const routes: { method: string; pattern: URLPattern; handle(request: Request, id: string): Response | Promise<Response> }[] = [
  { method: 'GET', pattern: new URLPattern({ pathname: '/notes' }), handle: () => Response.json([...notes.values()]) },
  { method: 'POST', pattern: new URLPattern({ pathname: '/notes' }), handle: (request) => createNote(request) },
  {
    method: 'GET',
    pattern: new URLPattern({ pathname: '/notes/:id' }),
    handle: (_request, id) => (notes.has(id) ? Response.json(notes.get(id)) : Response.json({ error: 'No such note.' }, { status: 404 })),
  },
  {
    method: 'DELETE',
    pattern: new URLPattern({ pathname: '/notes/:id' }),
    handle: (_request, id) => new Response(null, { status: notes.delete(id) ? 204 : 404 }),
  },
]

export default {
  fetch(request: Request): Response | Promise<Response> {
    const { pathname } = new URL(request.url)
    const here = routes.filter(({ pattern }) => pattern.test({ pathname }))
    const route = here.find(({ method }) => method === request.method)
    if (route !== undefined) return route.handle(request, route.pattern.exec({ pathname })?.pathname.groups['id'] ?? '')
    if (here.length === 0) return Response.json({ error: `Nothing at ${pathname}; try /notes.` }, { status: 404 })
    return Response.json({ error: 'Method not allowed.' }, { status: 405, headers: { allow: here.map(({ method }) => method).join(', ') } })
  },
}
