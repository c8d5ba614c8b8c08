import { createHash } from 'node:crypto'
import type { FunctionResource } from '../model/function.ts'
import { kindNamed } from '../model/kinds.ts'
import type { Store } from '../stores/store.ts'
import { resourceName } from './object-errors.ts'

const maxFunctions = 100
const style = 'body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}code{font-size:.95em}'
const styleHash = createHash('sha256').update(style).digest('base64')
const policy = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

type FunctionLine = { name: string; url: string | undefined }

/** What `/` answers until the dashboard comes: HTML for a browser, text for anything else. */
export async function frontPage(
  deps: { store: Store; info: { version: string; gatewayUrl: string } },
  request: Request,
): Promise<Response> {
  const { items } = await deps.store.list({ resource: resourceName(kindNamed('Function')), limit: maxFunctions })
  const functions = items.map(({ metadata, status }) => ({
    name: `${metadata.namespace}/${metadata.name}`,
    url: (status as FunctionResource['status'])?.url,
  }))
  const isHtml = (request.headers.get('accept') ?? '').includes('text/html')
  const headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', vary: 'accept', 'referrer-policy': 'no-referrer' }
  if (isHtml)
    return new Response(html(deps.info.version, functions), {
      headers: { ...headers, 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy },
    })
  return new Response(text(deps.info, functions), { headers: { ...headers, 'content-type': 'text/plain; charset=utf-8' } })
}

function text({ version, gatewayUrl }: { version: string; gatewayUrl: string }, functions: readonly FunctionLine[]): string {
  const lines = functions.map(({ name, url }) => `  ${name}  ${url ?? 'not ready yet'}`)
  return [
    `Kaon ${version}. The dashboard comes later; until then this is the API.`,
    '',
    'Functions:',
    ...(lines.length === 0 ? ['  none yet'] : lines),
    '',
    `Gateway:   ${gatewayUrl}`,
    'OpenAPI:   /openapi/v3',
    'Schemas:   /schemas',
    'Functions: /apis/kaon.dev/v1/functions',
    '',
  ].join('\n')
}

function html(version: string, functions: readonly FunctionLine[]): string {
  const items = functions.map(
    ({ name, url }) => `<li><code>${escapeHtml(name)}</code> ${url === undefined ? 'not ready yet' : link(url, url)}</li>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Kaon</title><style>${style}</style></head><body>
<h1>Kaon ${escapeHtml(version)}</h1>
<p>The dashboard comes later; until then this is the API.</p>
<h2>Functions</h2>
<ul>${items.length === 0 ? '<li>none yet</li>' : items.join('')}</ul>
<h2>For programs</h2>
<ul><li>${link('/openapi/v3', 'OpenAPI')}</li><li>${link('/schemas', 'JSON Schemas')}</li><li>${link('/apis/kaon.dev/v1/functions', 'Functions')}</li></ul>
</body></html>
`
}

/** Only addresses that lead somewhere: a status can be written by hand. */
function link(url: string, label: string): string {
  return /^(https?:\/\/|\/(?!\/))/.test(url) ? `<a href="${escapeHtml(url)}">${escapeHtml(label)}</a>` : escapeHtml(label)
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escapeHtml(raw: string): string {
  return raw.replace(/[&<>"']/g, (character) => escapes[character] as string)
}
