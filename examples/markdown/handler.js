import { readFileSync } from 'node:fs'
import { HttpError } from '@kaon/sdk'
import MarkdownIt from 'markdown-it'

// A file beside the handler travels with it.
const page = readFileSync(new URL('./page.html', import.meta.url), 'utf8')
const markdownIt = new MarkdownIt({ html: false, linkify: false })

/** `POST` Markdown → an HTML page. Raw HTML in the input is shown as text, and links that run code are not made. */
export default function markdown(event) {
  const type = event.datacontenttype ?? 'text/markdown'
  if (!type.startsWith('text/')) throw new HttpError(415, `Send text/markdown, not ${type}.`)
  const source = event.text()
  const title = markdownIt.utils.escapeHtml(/^#\s+(.+)$/m.exec(source)?.[1] ?? 'Untitled')
  const body = markdownIt.render(source)
  return {
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: page.replace('{title}', () => title).replace('{body}', () => body),
  }
}
