import { createHash, timingSafeEqual } from 'node:crypto'
import { KaonError } from '../base/errors.ts'
import type { AccessRules } from './api-deps.ts'

const openPaths: readonly string[] = ['/healthz', '/readyz']

/**
 * Who may speak to the API. Browsers are the danger on loopback: any page may send requests to 127.0.0.1, and one whose name was
 * rebound to it even reads the answers. A rebound name shows in Host, a page of another origin in Origin or Sec-Fetch-Site.
 * @throws `usage` when rules would leave an API beyond loopback without a token.
 */
export function createAccess(rules: AccessRules): (request: Request) => void {
  if (!rules.loopbackOnly && rules.tokenDigest === undefined)
    throw new KaonError('usage', 'Refuse to serve the API beyond loopback without a token.', {
      hint: 'Set a token, or listen on 127.0.0.1.',
    })
  if (rules.tokenDigest !== undefined && !/^[0-9a-f]{64}$/.test(rules.tokenDigest))
    throw new KaonError('usage', 'The digest of the token must be 64 hexadecimal digits.')
  const allowed = new Set(rules.hosts.map((host) => host.toLowerCase()))
  return (request) => {
    // First: a server makes the address out of Host, so until that is checked it need not be one.
    const host = checkHost(request, allowed)
    const { pathname } = new URL(request.url)
    checkOrigin(request, host, pathname)
    if (rules.tokenDigest !== undefined && !openPaths.includes(pathname)) checkToken(request, rules.tokenDigest)
  }
}

function checkHost(request: Request, allowed: ReadonlySet<string>): string {
  const host = request.headers.get('host') ?? new URL(request.url).host
  const name = hostName(host)
  if (name !== undefined && (isLoopbackName(name) || allowed.has(name))) return host
  throw new KaonError('host_refused', `Host '${host.slice(0, 253)}' is not served here.`, {
    hint: 'Use localhost or 127.0.0.1, or add the name to the allowed hosts.',
  })
}

/** The name in a Host header: lower case, without port and closing dot; undefined when it is no host. */
function hostName(host: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::\d{1,5})?$/.exec(host.toLowerCase())
  return match?.[1]
}

/** True for names that lead to this machine on every machine: `localhost` and below, 127.0.0.0/8 and [::1]. */
export function isLoopbackName(name: string): boolean {
  if (name === 'localhost' || name.endsWith('.localhost') || name === '[::1]') return true
  const parts = name.split('.')
  return parts.length === 4 && parts[0] === '127' && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

function checkOrigin(request: Request, host: string, pathname: string): void {
  const origin = request.headers.get('origin')
  if (origin !== null && !isSameOrigin(origin, host))
    throw new KaonError('origin_refused', `A page of '${origin.slice(0, 253)}' may not call this API.`)
  const site = request.headers.get('sec-fetch-site')
  if (site === null || site === 'same-origin' || site === 'none') return
  // Following a link to the front page shows it to the person who clicked, and to nobody else.
  const isLink = request.headers.get('sec-fetch-mode') === 'navigate' && request.headers.get('sec-fetch-dest') === 'document'
  if (isLink && request.method === 'GET' && pathname === '/') return
  throw new KaonError('origin_refused', 'A page of another origin may not call this API.')
}

function isSameOrigin(origin: string, host: string): boolean {
  try {
    const theirs = new URL(origin)
    if (theirs.protocol !== 'http:' && theirs.protocol !== 'https:') return false
    return theirs.origin === origin.toLowerCase() && theirs.host === new URL(`${theirs.protocol}//${host}`).host
  } catch {
    return false
  }
}

/** Compares digests, which are all of one length, in constant time: how long it takes tells nothing about the token. */
function checkToken(request: Request, expectedDigest: string): void {
  const token = /^bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
  const digest = createHash('sha256')
    .update(token ?? '')
    .digest()
  if (timingSafeEqual(digest, Buffer.from(expectedDigest, 'hex')) && token !== undefined) return
  throw new KaonError('unauthorized', token === undefined ? 'This API needs a bearer token.' : 'The bearer token is not the right one.', {
    hint: 'Send it as `Authorization: Bearer …`.',
  })
}
