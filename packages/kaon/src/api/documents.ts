import { createHash } from 'node:crypto'
import { KaonError } from '../base/errors.ts'
import { jsonSchemaOf } from '../model/json-schema.ts'
import { kinds } from '../model/kinds.ts'
import { openApiV2, openApiV3 } from '../model/openapi.ts'
import { valueResponse } from './representation.ts'

const groups = { 'api/v1': '', 'apis/kaon.dev/v1': 'kaon.dev' } as const
type GroupPath = keyof typeof groups
const groupPaths = Object.keys(groups) as GroupPath[]

/** OpenAPI and JSON Schema of everything, made from the model on first use. Answers undefined for a path that is none of these. */
export function createDocuments(): (request: Request) => Response | undefined {
  const texts = new Map<string, string>()
  const textOf = (name: string, make: () => object) => {
    const text = texts.get(name) ?? JSON.stringify(make())
    texts.set(name, text)
    return text
  }
  const v3Text = (path: GroupPath) => textOf(`v3 ${path}`, () => openApiV3(groups[path]))
  return (request) => {
    const { pathname } = new URL(request.url)
    if (pathname === '/openapi/v2') return documentResponse(textOf('v2', openApiV2), request)
    if (pathname === '/openapi/v3') return valueResponse({ paths: v3Index(v3Text) })
    const group = groupPaths.find((path) => pathname === `/openapi/v3/${path}`)
    if (group !== undefined) return documentResponse(v3Text(group), request)
    if (pathname === '/schemas') return valueResponse({ schemas: kinds.map(({ kind }) => `/schemas/${kind}.json`) })
    const schema = kinds.find(({ kind }) => pathname === `/schemas/${kind}.json`)
    return schema === undefined
      ? undefined
      : documentResponse(
          textOf(pathname, () => jsonSchemaOf(schema)),
          request,
          'application/schema+json',
        )
  }
}

/** The hash in each address lets clients keep a document for as long as it is the same. */
function v3Index(text: (path: GroupPath) => string): Record<string, { serverRelativeURL: string }> {
  return Object.fromEntries(groupPaths.map((path) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${digest(text(path))}` }]))
}

function documentResponse(text: string, request: Request, contentType = 'application/json'): Response {
  const accept = request.headers.get('accept') ?? '*/*'
  if (!/\*\/\*|application\/\*|json(?!\w)/.test(accept)) throw new KaonError('not_acceptable', 'This document is JSON, and nothing else.')
  const etag = `"${digest(text)}"`
  const headers = { 'content-type': contentType, etag, 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff' }
  return request.headers.get('if-none-match') === etag ? new Response(null, { status: 304, headers }) : new Response(text, { headers })
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32).toUpperCase()
}
