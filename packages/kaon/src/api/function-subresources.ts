import { KaonError } from '../base/errors.ts'
import { type LogLevel, logLevels } from '../base/log.ts'
import { parseTime } from '../base/time.ts'
import { parseDuration } from '../base/units.ts'
import type { FunctionResource } from '../model/function.ts'
import { kindNamed } from '../model/kinds.ts'
import type { Stored } from '../model/metadata.ts'
import type { ApiDeps } from './api-deps.ts'
import { audited } from './audit.ts'
import { tooLarge } from './body.ts'
import { methodNotAllowed } from './error-response.ts'
import { badRequest, objectNotFound } from './object-errors.ts'
import { keyOf } from './object-writer.ts'
import { valueResponse } from './representation.ts'
import type { ResourceTarget } from './resource-path.ts'
import { abortWith, textStream } from './text-stream.ts'
import { readCount, readFlag } from './verbs/query.ts'

const maxSourceBytes = 100_000_000

type Deps = Pick<ApiDeps, 'store' | 'blobs' | 'clock' | 'log' | 'logs' | 'buildLogs' | 'invoke' | 'functionMetrics' | 'access'>
type Call = Deps & { namespace: string; name: string; rest: string; request: Request; url: URL }
type Subresource = { methods: readonly string[] | 'any'; hasRest?: true; handle(call: Call): Promise<Response> }

/** Those that Kubernetes does not know. They stream, and hold nothing whole. */
const subresources: Readonly<Record<string, Subresource>> = {
  source: { methods: ['PUT'], handle: putSource },
  build: { methods: ['GET'], handle: readBuildLog },
  logs: { methods: ['GET'], handle: readLogs },
  invoke: { methods: 'any', hasRest: true, handle: invoke },
  metrics: { methods: ['GET'], handle: readMetrics },
}

/** Answers what lies beneath a function; undefined when the path leads elsewhere. */
export function createFunctionSubresources(deps: Deps): (target: ResourceTarget, request: Request) => Promise<Response> | undefined {
  return ({ kind, namespace, name, subresource: wanted, rest }, request) => {
    if (kind.kind !== 'Function' || wanted === undefined || !Object.hasOwn(subresources, wanted)) return undefined
    const subresource = subresources[wanted] as Subresource
    if (rest !== '' && subresource.hasRest === undefined) return undefined
    const url = new URL(request.url)
    const { methods } = subresource
    if (methods !== 'any' && !methods.includes(request.method))
      return Promise.resolve(methodNotAllowed(request.method, url.pathname, methods))
    return subresource.handle({ ...deps, namespace: namespace as string, name: name as string, rest, request, url })
  }
}

/** Also before there is a function: its spec then names the digest. */
async function putSource({ store, blobs, log, namespace, name, request }: Call): Promise<Response> {
  const kind = kindNamed('Namespace')
  if ((await store.get(keyOf({ kind, namespace: undefined, name: namespace }))) === undefined) throw objectNotFound(kind, namespace)
  if (Number(request.headers.get('content-length') ?? 0) > maxSourceBytes) throw tooLarge(maxSourceBytes)
  const { body } = request
  if (body === null) throw badRequest('The body must be a tar archive, compressed by gzip or not.')
  const action = { verb: 'put', resource: 'functions.kaon.dev/source', namespace, name }
  const { digest, bytes } = await audited(log, action, () => blobs.put(body, maxSourceBytes))
  return valueResponse({ digest, bytes }, { kind: 'json' }, 201)
}

async function readBuildLog(call: Call): Promise<Response> {
  const { store, buildLogs, log, namespace, name, request, url } = call
  const { status } = await existingFunction(call)
  const revision = url.searchParams.get('revision') || status?.latestCreatedRevision
  if (revision === undefined)
    throw new KaonError('not_found', `Function '${namespace}/${name}' has no revision yet.`, { about: { kind: 'functions', name } })
  const kind = kindNamed('Revision')
  const found = /^[-a-z0-9]{1,63}$/.test(revision) ? await store.get(keyOf({ kind, namespace, name: revision })) : undefined
  if (found === undefined || !revision.startsWith(`${name}-`)) throw objectNotFound(kind, revision.slice(0, 63))
  const abort = abortWith(request.signal)
  const texts = buildLogs.read({ namespace, function: name, revision, follow: readFlag(url.searchParams, 'follow'), signal: abort.signal })
  return streamed(textStream(texts, abort, log), 'text/plain; charset=utf-8')
}

async function readLogs(call: Call): Promise<Response> {
  const { clock, log, logs, namespace, name, request, url } = call
  const query = url.searchParams
  const sinceMs = readSince(query.get('since') ?? '', clock.now())
  const tail = readCount(query, 'tail')
  const level = readLevel(query.get('level') ?? '')
  const revision = query.get('revision') || undefined
  await existingFunction(call)
  const abort = abortWith(request.signal)
  const records = logs({
    namespace,
    function: name,
    follow: readFlag(query, 'follow'),
    signal: abort.signal,
    ...(revision === undefined ? {} : { revision }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(tail === undefined ? {} : { tail }),
    ...(level === undefined ? {} : { level }),
  })
  return streamed(textStream(asLines(records), abort, log), 'application/x-ndjson')
}

async function* asLines(records: AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const record of records) yield `${JSON.stringify(record)}\n`
}

/** ms since 1970 of a time, or of a duration before now. */
function readSince(text: string, nowMs: number): number | undefined {
  if (text === '') return undefined
  const durationMs = parseDuration(text)
  const timeMs = durationMs === undefined ? parseTime(text) : nowMs - durationMs
  if (Number.isNaN(timeMs)) throw badRequest(`since must be a duration such as 10m, or an RFC 3339 time, not '${text.slice(0, 50)}'.`)
  return timeMs
}

function readLevel(text: string): LogLevel | undefined {
  const level = logLevels.find((name) => name === text)
  if (text !== '' && level === undefined) throw badRequest(`level must be one of ${logLevels.join(', ')}, not '${text.slice(0, 50)}'.`)
  return level
}

/** Any method, body and answer as they flow. The API's own token goes no further. */
async function invoke({ invoke: call, access, namespace, name, rest, request, url }: Call): Promise<Response> {
  // The one method that a Request cannot carry, and that would show a caller headers that are not its own.
  if (request.method === 'TRACE') throw new KaonError('method_not_allowed', 'TRACE is not passed on.')
  const headers = new Headers(request.headers)
  if (access.tokenDigest !== undefined) headers.delete('authorization')
  // The gateway believes these on the socket that this call goes to: there they are a function's that calls another.
  for (const name of ['kaon-depth', 'kaon-timeout-ms']) headers.delete(name)
  const forwarded = new Request(request.url, {
    method: request.method,
    headers,
    signal: request.signal,
    ...(request.body === null ? {} : { body: request.body, duplex: 'half' }),
  })
  const answer = await call({ namespace, function: name, path: `${rest === '' ? '/' : rest}${url.search}`, request: forwarded })
  const answered = new Headers(answer.headers)
  // A function's page must not run as a page of the API's own origin.
  answered.append('content-security-policy', 'sandbox')
  return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers: answered })
}

async function readMetrics(call: Call): Promise<Response> {
  await existingFunction(call)
  return metricsResponse(await call.functionMetrics(call.namespace, call.name))
}

export function metricsResponse(text: string): Response {
  return new Response(text, { headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' } })
}

async function existingFunction({ store, namespace, name }: Call): Promise<Stored<FunctionResource>> {
  const kind = kindNamed('Function')
  const found = await store.get(keyOf({ kind, namespace, name }))
  if (found === undefined) throw objectNotFound(kind, name)
  return found as Stored<FunctionResource>
}

function streamed(body: ReadableStream<Uint8Array>, contentType: string): Response {
  return new Response(body, { headers: { 'content-type': contentType, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } })
}
