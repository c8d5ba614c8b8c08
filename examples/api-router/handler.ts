// A web-standard app: what has a `fetch` method runs as it is. The notes live in this worker's memory, so keep one replica.
import { Hono } from 'hono'

type Note = { id: number; text: string; done: boolean }
const notes = new Map<number, Note>()
let lastId = 0

const app = new Hono()
app.get('/notes', (c) => c.json([...notes.values()]))
app.post('/notes', async (c) => {
  const input = await c.req.json<{ text?: unknown }>().catch(() => undefined)
  if (typeof input?.text !== 'string' || input.text.length === 0)
    return c.json({ error: 'Send JSON with a "text" that is not empty.' }, 400)
  const note = { id: ++lastId, text: input.text, done: false }
  notes.set(note.id, note)
  return c.json(note, 201, { location: `/notes/${note.id}` })
})
app.get('/notes/:id', (c) => {
  const note = notes.get(Number(c.req.param('id')))
  return note ? c.json(note) : c.json({ error: `There is no note ${c.req.param('id')}.` }, 404)
})
app.put('/notes/:id/done', (c) => {
  const note = notes.get(Number(c.req.param('id')))
  if (!note) return c.json({ error: `There is no note ${c.req.param('id')}.` }, 404)
  note.done = true
  return c.json(note)
})
app.delete('/notes/:id', (c) => (notes.delete(Number(c.req.param('id'))) ? c.body(null, 204) : c.json({ error: 'It was not there.' }, 404)))

export default app
