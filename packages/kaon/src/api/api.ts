import { Hono } from 'hono'
import { asKaonError, KaonError } from '../base/errors.ts'
import { createAccess } from './access.ts'
import type { ApiDeps } from './api-deps.ts'
import { discoveryDocument, versionDocument } from './discovery.ts'
import { createDocuments } from './documents.ts'
import { errorResponse, methodNotAllowed } from './error-response.ts'
import { frontPage } from './front-page.ts'
import { createFunctionSubresources, metricsResponse } from './function-subresources.ts'
import { readyResponse } from './health.ts'
import { valueResponse } from './representation.ts'
import { createResourceApi } from './resource-api.ts'
import { parseResourcePath } from './resource-path.ts'

/**
 * The resource API: Kubernetes's conventions for our kinds, what lies beneath a function, and the documents about both.
 * Its `fetch` is all there is to serve; it opens no socket. Throws `usage` when the access rules leave it open to the network.
 */
export function createApi(deps: ApiDeps): Hono {
  const api = new Hono()
  const checkAccess = createAccess(deps.access)
  api.use(async (context, next) => {
    checkAccess(context.req.raw)
    await next()
  })
  const pages = createPages(deps)
  for (const [path, answer] of Object.entries(pages))
    api.all(path, ({ req }) => {
      const isRead = req.method === 'GET' || req.method === 'HEAD'
      return isRead ? answer(req.raw) : methodNotAllowed(req.method, req.path, ['GET'])
    })
  const resources = createResources(deps)
  api.all('/api/*', ({ req }) => resources(req.raw))
  api.all('/apis/*', ({ req }) => resources(req.raw))
  api.notFound(({ req }) => errorResponse(nothingAt(req.path), req.path))
  api.onError((thrown, { req }) => failure(deps, thrown, req.path))
  return api
}

type Answer = (request: Request) => Response | Promise<Response>

function createPages(deps: ApiDeps): Record<string, Answer> {
  const documents = createDocuments()
  const document: Answer = (request) => {
    const { pathname } = new URL(request.url)
    const answer = documents(request)
    if (answer === undefined) throw nothingAt(pathname)
    return answer
  }
  return {
    '/': (request) => frontPage(deps, request),
    '/healthz': () => new Response('ok\n', { headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' } }),
    '/readyz': (request) => readyResponse(deps, new URL(request.url).searchParams),
    '/metrics': async () => metricsResponse(await deps.metricsText()),
    '/version': () => valueResponse(versionDocument(deps.info.version)),
    '/openapi/*': document,
    '/schemas': document,
    '/schemas/*': document,
  }
}

function createResources(deps: ApiDeps): Answer {
  const generic = createResourceApi(deps)
  const beneathFunction = createFunctionSubresources(deps)
  return async (request) => {
    const { pathname } = new URL(request.url)
    const document = discoveryDocument(pathname)
    if (document !== undefined)
      return request.method === 'GET' || request.method === 'HEAD'
        ? valueResponse(document)
        : methodNotAllowed(request.method, pathname, ['GET'])
    const target = parseResourcePath(pathname)
    const answer = target && ((await beneathFunction(target, request)) ?? (await generic(target, request)))
    if (answer === undefined) throw nothingAt(pathname)
    return answer
  }
}

function nothingAt(path: string): KaonError {
  return new KaonError('not_found', `Nothing is served at '${path.slice(0, 200)}'.`)
}

/** What is ours is told; anything else goes to the log under an id, and the client gets the id. */
function failure({ log, random }: ApiDeps, thrown: unknown, path: string): Response {
  const error = asKaonError(thrown)
  if (error.code !== 'internal') return errorResponse(error, path)
  const id = random.uuid()
  log.error('A request failed inside the platform.', { id, path, error: thrown })
  const told = new KaonError('internal', error.message, { hint: `See the platform log for '${id}'.`, cause: thrown })
  return errorResponse(told, path, id)
}
