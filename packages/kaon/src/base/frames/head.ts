import { KaonError } from '../errors.ts'

// Heads inside REQUEST, RESPONSE and TRAILERS frames. Text is latin1, as on the HTTP wire.
//
//   request    u32 deadline in ms from now (0 = none) · name method · u16 length, target · u8 length, request id · block
//   response   u16 status · block
//   trailers   block
//   block      u16 count · count × (name · u16 length, value)
//   name       u8 number in `commonNames` + 1, or 0 · u8 length, bytes (header names in lower case)

export const methodNames = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'] as const

/** Header names that go over the wire as one byte. Append only: the numbers are the protocol. */
export const commonNames = [
  'host',
  'user-agent',
  'accept',
  'accept-encoding',
  'accept-language',
  'content-type',
  'content-length',
  'content-encoding',
  'authorization',
  'cookie',
  'set-cookie',
  'cache-control',
  'etag',
  'last-modified',
  'if-none-match',
  'if-modified-since',
  'location',
  'vary',
  'date',
  'server',
  'origin',
  'referer',
  'x-request-id',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'traceparent',
  'tracestate',
  'access-control-allow-origin',
  'content-disposition',
  'range',
  'content-range',
  'accept-ranges',
  'retry-after',
  'server-timing',
  'kaon-function',
  'kaon-revision',
  'kaon-logs',
  'kaon-log-level',
  'kaon-timing',
  'ce-id',
  'ce-source',
  'ce-type',
  'ce-specversion',
  'ce-subject',
  'ce-time',
  'x-api-key',
  'idempotency-key',
  'prefer',
  'x-accel-buffering',
] as const

const nameToNumber = new Map<string, number>(commonNames.map((name, i) => [name, i + 1]))
const methodToNumber = new Map<string, number>(methodNames.map((name, i) => [name, i + 1]))

/** Headers as they came: names and values alternate, names in lower case. */
export type FlatHeaders = readonly string[]

export type RequestHead = { method: string; target: string; requestId: string; deadlineMs: number; headers: FlatHeaders }
export type ResponseHead = { status: number; headers: FlatHeaders }

/** The most bytes that a header block of these headers can take. */
function blockBound(headers: FlatHeaders): number {
  let bound = 2
  for (let i = 0; i < headers.length; i += 2) bound += 4 + (headers[i] as string).length + (headers[i + 1] as string).length
  return bound
}

export function requestHeadBound(head: RequestHead): number {
  return 4 + 2 + head.method.length + 2 + head.target.length + 1 + head.requestId.length + blockBound(head.headers)
}

export function responseHeadBound(head: ResponseHead): number {
  return 2 + blockBound(head.headers)
}

export function trailersBound(headers: FlatHeaders): number {
  return blockBound(headers)
}

function writeName(buffer: Buffer, at: number, name: string, numbers: Map<string, number>): number {
  const number = numbers.get(name)
  if (number !== undefined) {
    buffer[at] = number
    return at + 1
  }
  if (name.length > 255) throw new KaonError('headers_too_large', `The name '${name.slice(0, 40)}…' is longer than 255 bytes.`)
  buffer[at] = 0
  buffer[at + 1] = name.length
  return at + 2 + buffer.write(name, at + 2, 'latin1')
}

/** Writes a block at `at` and returns where it ends. */
export function writeBlock(buffer: Buffer, at: number, headers: FlatHeaders): number {
  buffer.writeUInt16BE(headers.length >> 1, at)
  let offset = at + 2
  for (let i = 0; i < headers.length; i += 2) {
    offset = writeName(buffer, offset, headers[i] as string, nameToNumber)
    const value = headers[i + 1] as string
    if (value.length > 65_535) throw new KaonError('headers_too_large', `The header '${headers[i]}' is longer than 65535 bytes.`)
    buffer[offset] = value.length >> 8
    buffer[offset + 1] = value.length & 255
    offset += 2 + buffer.write(value, offset + 2, 'latin1')
  }
  return offset
}

/** Writes a request head at `at` and returns where it ends. */
export function writeRequestHead(buffer: Buffer, at: number, head: RequestHead): number {
  buffer.writeUInt32BE(Math.min(0xffffffff, Math.max(0, Math.ceil(head.deadlineMs))), at)
  let offset = writeName(buffer, at + 4, head.method, methodToNumber)
  if (head.target.length > 65_535) throw new KaonError('headers_too_large', 'The target is longer than 65535 bytes.')
  buffer.writeUInt16BE(head.target.length, offset)
  offset += 2 + buffer.write(head.target, offset + 2, 'latin1')
  if (head.requestId.length > 255) throw new KaonError('headers_too_large', 'The request id is longer than 255 bytes.')
  buffer[offset] = head.requestId.length
  offset += 1 + buffer.write(head.requestId, offset + 1, 'latin1')
  return writeBlock(buffer, offset, head.headers)
}

export function writeResponseHead(buffer: Buffer, at: number, head: ResponseHead): number {
  buffer.writeUInt16BE(head.status, at)
  return writeBlock(buffer, at + 2, head.headers)
}

/** Reads with a bound: every length is checked against the payload before it is used. */
class Reader {
  readonly #buffer: Buffer
  offset: number

  constructor(buffer: Buffer, offset: number) {
    this.#buffer = buffer
    this.offset = offset
  }

  u8(): number {
    this.#need(1)
    return this.#buffer[this.offset++] as number
  }

  u16(): number {
    this.#need(2)
    this.offset += 2
    return this.#buffer.readUInt16BE(this.offset - 2)
  }

  u32(): number {
    this.#need(4)
    this.offset += 4
    return this.#buffer.readUInt32BE(this.offset - 4)
  }

  text(length: number): string {
    this.#need(length)
    this.offset += length
    return this.#buffer.toString('latin1', this.offset - length, this.offset)
  }

  name(table: readonly string[]): string {
    const number = this.u8()
    if (number === 0) return this.text(this.u8())
    const name = table[number - 1]
    if (name === undefined) throw new KaonError('protocol_error', `There is no name with the number ${number}.`)
    return name
  }

  block(): string[] {
    const count = this.u16()
    const headers: string[] = []
    for (let i = 0; i < count; i++) {
      headers.push(this.name(commonNames))
      headers.push(this.text(this.u16()))
    }
    return headers
  }

  end(): void {
    if (this.offset !== this.#buffer.length) throw new KaonError('protocol_error', 'A head has bytes behind its end.')
  }

  #need(bytes: number): void {
    if (this.offset + bytes > this.#buffer.length) throw new KaonError('protocol_error', 'A head is cut short.')
  }
}

/** Throws `protocol_error` for anything but one whole head. */
export function readRequestHead(payload: Buffer): RequestHead {
  const reader = new Reader(payload, 0)
  const deadlineMs = reader.u32()
  const method = reader.name(methodNames)
  const target = reader.text(reader.u16())
  const requestId = reader.text(reader.u8())
  const headers = reader.block()
  reader.end()
  return { method, target, requestId, deadlineMs, headers }
}

export function readResponseHead(payload: Buffer): ResponseHead {
  const reader = new Reader(payload, 0)
  const status = reader.u16()
  const headers = reader.block()
  reader.end()
  return { status, headers }
}

export function readTrailers(payload: Buffer): string[] {
  const reader = new Reader(payload, 0)
  const headers = reader.block()
  reader.end()
  return headers
}
