import { KaonError } from '../base/errors.ts'

// Everything that decides where a request goes reads its address from here, so that no two parts can see two different ones.

export type Target = {
  /** Absolute, in one spelling: unreserved characters decoded, escapes in upper case, no dot segments. */
  path: string
  /** With its question mark; empty when there is none. */
  query: string
}

const plain = /^[A-Za-z0-9\-_~!$&'()*+,;=:@/.]*$/
const visible = /^[\x21-\x7e]*$/
const unreserved = /[A-Za-z0-9\-_~]/

/**
 * Path and query of a request target in origin form or absolute form, whose authority must be that of the Host header.
 *
 * Throws `invalid_request` for what different readers could read differently: dot segments, encoded slashes, backslashes and dots, NUL.
 */
export function parseTarget(raw: string, host: string | undefined): Target {
  if (!visible.test(raw) || raw.includes('#')) throw refuse('It holds characters that must be percent-encoded.')
  const target = raw.startsWith('/') ? raw : originForm(raw, host)
  const at = target.indexOf('?')
  const path = at === -1 ? target : target.slice(0, at)
  const query = at === -1 ? '' : target.slice(at)
  return { path: normalisePath(path), query }
}

/** One spelling for a path; throws as `parseTarget` does. */
export function normalisePath(path: string): string {
  let normal = path
  if (!plain.test(path)) {
    if (path.includes('\\')) throw refuse('A backslash is not allowed in a path.')
    normal = path.replace(/%([0-9A-Fa-f]{2})?/g, normaliseEscape)
  }
  if (normal.includes('/.') && /\/\.\.?(\/|$)/.test(normal)) throw refuse("The segments '.' and '..' are not allowed in a path.")
  return normal
}

/** A path as an author writes it, in the spelling of `normalisePath`; undefined when no request can have it. */
export function normaliseWrittenPath(path: string): string | undefined {
  try {
    return normalisePath(path.replace(/[^\x21-\x7e]+/gu, encodeURIComponent))
  } catch {
    return undefined
  }
}

function normaliseEscape(escaped: string, hex: string | undefined): string {
  if (hex === undefined) throw refuse("A '%' must be followed by two hexadecimal digits.")
  const character = String.fromCharCode(Number.parseInt(hex, 16))
  if (character === '/' || character === '\\' || character === '.' || character === '\0')
    throw refuse(`The escape '${escaped}' is not allowed in a path.`)
  return unreserved.test(character) ? character : escaped.toUpperCase()
}

function originForm(raw: string, host: string | undefined): string {
  const match = /^https?:\/\/([^/?]+)(.*)$/i.exec(raw)
  if (match === null) throw refuse("It must begin with '/'.")
  const [, authority, rest] = match as unknown as [string, string, string]
  if (host === undefined || withoutDefaultPort(authority) !== withoutDefaultPort(host))
    throw refuse('Its authority is not that of the Host header.')
  return rest.startsWith('/') ? rest : `/${rest}`
}

function withoutDefaultPort(authority: string): string {
  return authority.toLowerCase().replace(/:(80|443)$/, '')
}

/** Host name of a Host header, lower case, without port and final dot; undefined when it is none. */
export function parseHost(header: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)\.?(:\d{0,5})?$/i.exec(header)
  const name = match?.[1]?.toLowerCase()
  return name === undefined || name.includes('..') || name.length > 253 ? undefined : name
}

/** True for names that mean this machine to every client: no page of another origin can be served under them. */
export function isLoopbackName(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}

function refuse(message: string): KaonError {
  return new KaonError('invalid_request', `The address of the request cannot be used. ${message}`)
}
