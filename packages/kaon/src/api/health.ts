import type { ApiDeps } from './api-deps.ts'
import { valueResponse } from './representation.ts'
import { readFlag } from './verbs/query.ts'

/** Whether the platform is ready: 200 or 503, with the reasons as text, or everything as JSON with `?verbose`. */
export function readyResponse({ readiness, info }: Pick<ApiDeps, 'readiness' | 'info'>, query: URLSearchParams): Response {
  const checks = readiness()
  const failing = checks.filter((check) => !check.ok)
  const status = failing.length === 0 ? 200 : 503
  if (readFlag(query, 'verbose'))
    return valueResponse({ version: info.version, gatewayUrl: info.gatewayUrl, checks }, { kind: 'json' }, status)
  const body = failing.length === 0 ? 'ok\n' : failing.map(({ name, message }) => `${name}: ${message}\n`).join('')
  return new Response(body, { status, headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' } })
}
