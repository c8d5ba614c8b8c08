import { KaonError } from '../../../base/errors.ts'

/** Hop-by-hop and framing headers are the platform's: a handler's are dropped. */
const platformHeaders = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
const tokenPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,255}$/
const wrongInValue = /[^\t\x20-\x7e\x80-\xff]/
/** Leaves room in a frame of 64 KiB for what the platform adds. */
const maxHeadBytes = 60_000

/**
 * Headers of a handler's answer as a flat list: names in lower case, the platform's own dropped, lists as repeated headers.
 * Throws `response_invalid` for what is no header.
 */
export function flattenHeaders(headers: object): string[] {
  const flat: string[] = []
  let bytes = 0
  for (const [name, value] of entries(headers))
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each === undefined || each === null) continue
      bytes += add(flat, name, each)
    }
  if (bytes > maxHeadBytes) throw invalidHeader(`headers of ${bytes} bytes; at most ${maxHeadBytes} can be sent`)
  return flat
}

function entries(headers: object): Iterable<[string, unknown]> {
  if (Array.isArray(headers) || Symbol.iterator in headers) return headers as Iterable<[string, unknown]>
  return Object.entries(headers)
}

/** Adds one header and returns what it takes on the wire. */
function add(flat: string[], name: unknown, value: unknown): number {
  if (typeof name !== 'string' || !tokenPattern.test(name))
    throw invalidHeader(`the header name ${JSON.stringify(name)}, which has characters that no header name has`)
  const text = typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
  if (text === undefined) throw invalidHeader(`the header '${name}' as a ${typeof value}; wanted a string or a list of strings`)
  const wrong = wrongInValue.exec(text)
  if (wrong !== null) {
    const code = (wrong[0].codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')
    throw invalidHeader(`the header '${name}' with the character U+${code} at ${wrong.index}, which no header can hold`)
  }
  const lower = name.toLowerCase()
  if (platformHeaders.has(lower)) return 0
  flat.push(lower, text.trim())
  return lower.length + text.length + 4
}

export function hasContentType(headers: readonly string[]): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === 'content-type') return true
  return false
}

function invalidHeader(what: string): KaonError {
  return new KaonError('response_invalid', `The handler returned ${what}.`)
}
