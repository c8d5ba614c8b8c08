import { KaonError } from '../base/errors.ts'
import type { Exchange } from './exchange.ts'

/** What the gateway itself needs of a request's headers, read in one pass, and those that go on. */
export type ReceivedHead = {
  host: string | undefined
  /** Body bytes that are announced; undefined when they are not. */
  contentLength: number | undefined
  isChunked: boolean
  requestId: string | undefined
  traceparent: string | undefined
  origin: string | undefined
  preflightMethod: string | undefined
  tag: string | undefined
  revision: string | undefined
  wantsTiming: boolean
  /** What is left of the deadline of the function that calls. */
  callerTimeoutMs: number | undefined
  /** Names in lower case and values alternate; without what ends at this hop and what only the gateway may say. */
  forwarded: string[]
}

/** How often `context.invoke` may lead on from one function to the next. */
const maxDepth = 16

/** Ends at each hop (RFC 9110 section 7.6.1), frames the message, or is the gateway's to say. */
const kept = 0
const dropped = 1
const looked = 2
const treatment = new Map<string, number>([
  ...['keep-alive', 'proxy-connection', 'proxy-authorization', 'te', 'trailer', 'upgrade', 'expect', 'http2-settings'].map(
    (name) => [name, dropped] as const,
  ),
  ...['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'forwarded', 'x-real-ip'].map(
    (name) => [name, dropped] as const,
  ),
  ...['connection', 'host', 'content-length', 'transfer-encoding', 'x-request-id', 'traceparent', 'origin'].map(
    (name) => [name, looked] as const,
  ),
  ...['access-control-request-method', 'kaon-tag', 'kaon-revision', 'kaon-timing', 'kaon-depth', 'kaon-timeout-ms'].map(
    (name) => [name, looked] as const,
  ),
])

/** Node gives names as they were sent; the same few come again and again. */
const lowerCased = new Map<string, string>()

function lowerName(name: string): string {
  let lower = lowerCased.get(name)
  if (lower === undefined) {
    lower = name.toLowerCase()
    if (lowerCased.size < 2_000 && name.length < 64) lowerCased.set(name, lower)
  }
  return lower
}

/**
 * Reads the head of a request as it came: names in any case and values alternate. How deep functions have called each other, and what is
 * left of the caller's time, is believed only of the platform's own workers, which come over the unix socket.
 *
 * Throws `invalid_request` for what could be read in two ways, `headers_too_large` for more than `maxCount` headers and `loop_detected`.
 */
export function readHead(exchange: Pick<Exchange, 'rawHeaders' | 'minorVersion' | 'isTrusted'>, maxCount: number): ReceivedHead {
  const { rawHeaders: raw, minorVersion } = exchange
  if (raw.length / 2 > maxCount)
    throw new KaonError('headers_too_large', `The request has ${raw.length / 2} headers; at most ${maxCount} are taken.`)
  const head: ReceivedHead = {
    host: undefined,
    contentLength: undefined,
    isChunked: false,
    requestId: undefined,
    traceparent: undefined,
    origin: undefined,
    preflightMethod: undefined,
    tag: undefined,
    revision: undefined,
    wantsTiming: false,
    callerTimeoutMs: undefined,
    forwarded: [],
  }
  let connection: string | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = lowerName(raw[i] as string)
    const value = raw[i + 1] as string
    const how = treatment.get(name) ?? kept
    if (how === dropped) continue
    if (how === looked) {
      if (name === 'connection') connection = connection === undefined ? value : `${connection},${value}`
      else if (!look(head, name, value, exchange)) continue
    }
    if (how === kept || name !== 'connection') head.forwarded.push(name, value)
  }
  if (head.host === undefined && minorVersion > 0) throw new KaonError('invalid_request', 'The Host header is missing.')
  if (connection !== undefined && connection !== 'keep-alive' && connection !== 'close') dropNamed(head.forwarded, connection)
  return head
}

/** Takes what the gateway needs; true when the header goes on as it is. */
function look(head: ReceivedHead, name: string, value: string, exchange: Pick<Exchange, 'minorVersion' | 'isTrusted'>): boolean {
  switch (name) {
    case 'host':
      if (head.host !== undefined) throw new KaonError('invalid_request', 'There are two Host headers.')
      head.host = value
      return true
    case 'content-length':
      if (head.contentLength !== undefined || !/^\d{1,15}$/.test(value))
        throw new KaonError('invalid_request', 'Content-Length must be one number.')
      head.contentLength = Number(value)
      return true
    case 'transfer-encoding':
      if (exchange.minorVersion === 0 || head.isChunked || value.toLowerCase() !== 'chunked')
        throw new KaonError('invalid_request', "Transfer-Encoding must be 'chunked', once, and in HTTP/1.1.")
      head.isChunked = true
      return false
    case 'x-request-id':
      if (/^[\x21-\x7e]{1,128}$/.test(value)) head.requestId = value
      return false
    case 'traceparent':
      if (/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(value)) head.traceparent = value
      return false
    case 'origin':
      head.origin = value
      return true
    case 'access-control-request-method':
      head.preflightMethod = value
      return true
    case 'kaon-tag':
      head.tag = value
      return true
    case 'kaon-revision':
      head.revision = value
      return true
    case 'kaon-timing':
      head.wantsTiming = value === '1'
      return true
    case 'kaon-depth':
      if (!exchange.isTrusted) return false
      checkDepth(value)
      return true
    case 'kaon-timeout-ms':
      if (exchange.isTrusted && /^[1-9]\d{0,14}$/.test(value)) head.callerTimeoutMs = Number(value)
      return false
    default:
      return true
  }
}

function checkDepth(value: string): void {
  if (!/^\d{1,15}$/.test(value)) throw new KaonError('invalid_request', 'Kaon-Depth must be a number.')
  if (Number(value) <= maxDepth) return
  throw new KaonError('loop_detected', `Functions called each other more than ${maxDepth} deep.`, {
    hint: 'Look for a circle of invoke calls.',
  })
}

/** Headers that the Connection header names end here too. What the message needs cannot be named away. */
function dropNamed(headers: string[], connection: string): void {
  const named = new Set(
    connection
      .toLowerCase()
      .split(',')
      .map((token) => token.trim()),
  )
  for (const needed of ['host', 'content-length', 'authorization', 'cookie', 'origin', 'content-type']) named.delete(needed)
  let to = 0
  for (let i = 0; i < headers.length; i += 2) {
    if (named.has(headers[i] as string)) continue
    headers[to++] = headers[i] as string
    headers[to++] = headers[i + 1] as string
  }
  headers.length = to
}
