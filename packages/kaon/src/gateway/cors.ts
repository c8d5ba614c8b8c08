import type { RoutedRule } from '../model/routing-table.ts'

export type CorsRule = NonNullable<RoutedRule['cors']>

/** Headers that belong to the gateway once a rule has CORS: a function's own would contradict them. */
export const corsHeaderNames: ReadonlySet<string> = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-expose-headers',
  'access-control-max-age',
])

/** Answer headers of a preflight. An origin that is not allowed gets none of them, which is how a browser is told no. */
export function preflightHeaders(cors: CorsRule, origin: string): string[] {
  const headers = ['vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers']
  const allowed = allowedOrigin(cors, origin)
  if (allowed === undefined) return headers
  headers.push('access-control-allow-origin', allowed, 'access-control-allow-methods', cors.methods.join(', '))
  if (cors.headers.length > 0) headers.push('access-control-allow-headers', cors.headers.join(', '))
  if (cors.credentials) headers.push('access-control-allow-credentials', 'true')
  headers.push('access-control-max-age', String(cors.maxAgeSeconds))
  return headers
}

/** Headers for the answer to a request itself; `origin` is undefined when no page asked. */
export function answerHeaders(cors: CorsRule, origin: string | undefined): string[] {
  const headers = isOpenToAll(cors) ? [] : ['vary', 'Origin']
  const allowed = origin === undefined ? undefined : allowedOrigin(cors, origin)
  if (allowed === undefined) return headers
  headers.push('access-control-allow-origin', allowed)
  if (cors.credentials) headers.push('access-control-allow-credentials', 'true')
  if (cors.exposeHeaders.length > 0) headers.push('access-control-expose-headers', cors.exposeHeaders.join(', '))
  return headers
}

function isOpenToAll(cors: CorsRule): boolean {
  return cors.origins.includes('*') && !cors.credentials
}

/** Credentials are never given to any origin at all, whatever a table says: `*` then allows nobody. */
function allowedOrigin(cors: CorsRule, origin: string): string | undefined {
  if (isOpenToAll(cors)) return '*'
  return cors.origins.includes(origin) ? origin : undefined
}
