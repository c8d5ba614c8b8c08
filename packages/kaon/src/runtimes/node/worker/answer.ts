import { types } from 'node:util'
import { KaonError } from '../../../base/errors.ts'
import { flattenHeaders, hasContentType } from './answer-headers.ts'

/** Chunks that come one after the other. */
export type ChunkSource = AsyncIterator<unknown> | Iterator<unknown>

/** What goes back to the caller. Header names in lower case, names and values alternating; framing headers are never among them. */
export type Answer = { status: number; headers: readonly string[]; body: string | Uint8Array | undefined | { chunks: ChunkSource } }

const textType = ['content-type', 'text/plain; charset=utf-8'] as const
const jsonType = ['content-type', 'application/json'] as const
const bytesType = ['content-type', 'application/octet-stream'] as const
const noHeaders: readonly string[] = []

/**
 * The answer that a handler's result stands for:
 *
 * - nothing (`undefined`, `null`): 204
 * - a string: `text/plain; charset=utf-8`; bytes: `application/octet-stream`
 * - a web `Response`: as it is
 * - a `ReadableStream`, a generator or anything async iterable: streamed as it comes
 * - an object with no other keys than `status`, `headers` and `body`, and among them a numeric `status` or a `headers` object: a full
 *   answer, its body by these same rules (so `{ status: 'ok' }` and `{ body: … }` alone are JSON values)
 * - anything else: JSON
 *
 * Throws `response_invalid` for what cannot be sent.
 */
export function toAnswer(result: unknown): Answer {
  if (typeof result === 'object' && result !== null) {
    if (isPlain(result)) return isFullAnswer(result) ? fromFullAnswer(result) : { status: 200, headers: jsonType, body: toJson(result) }
    if (isResponse(result)) return fromResponse(result)
    if (isFullAnswer(result)) return fromFullAnswer(result)
  }
  return fromValue(result)
}

/** What most handlers return, an object literal or a list: none of the kinds that take a closer look. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== Array.prototype) return false
  return !(Symbol.toStringTag in value) && !(Symbol.asyncIterator in value)
}

function fromValue(value: unknown): Answer {
  if (value === undefined || value === null) return { status: 204, headers: noHeaders, body: undefined }
  if (typeof value === 'string') return { status: 200, headers: textType, body: value }
  const raw = typeof value === 'object' ? rawBody(value) : undefined
  if (raw === undefined) return { status: 200, headers: jsonType, body: toJson(value) }
  return { status: 200, headers: raw instanceof Uint8Array ? bytesType : noHeaders, body: raw }
}

/** Bytes and streams; undefined for a value that goes as JSON. */
function rawBody(value: object): Uint8Array | { chunks: ChunkSource } | undefined {
  if (value instanceof Uint8Array) return value
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  if (types.isAnyArrayBuffer(value)) return new Uint8Array(value)
  if (value instanceof ReadableStream) return { chunks: readerSource(value) }
  if (Symbol.asyncIterator in value) return { chunks: (value as AsyncIterable<unknown>)[Symbol.asyncIterator]() }
  if (types.isGeneratorObject(value)) return { chunks: value as Generator<unknown> }
  return undefined
}

function isResponse(value: object): value is Response {
  return (
    value instanceof Response || (Object.prototype.toString.call(value) === '[object Response]' && 'body' in value && 'status' in value)
  )
}

function fromResponse(response: Response): Answer {
  const status = checkStatus(response.status)
  if (response.bodyUsed) throw invalid('a Response whose body has been read already')
  const headers = flattenHeaders(response.headers)
  return { status, headers, body: response.body === null ? undefined : rawBody(response.body) }
}

/** A stream by its reader, whose `cancel` reaches the stream even while a read waits; its async iterator would hold it back until then. */
function readerSource(stream: ReadableStream<unknown>): AsyncIterator<unknown> {
  if (stream.locked) throw invalid('a stream that somebody else reads already')
  const reader = stream.getReader()
  return {
    next: () => reader.read() as Promise<IteratorResult<unknown>>,
    return: async () => {
      await reader.cancel()
      return { done: true, value: undefined }
    },
  }
}

type FullAnswer = { status?: number; headers?: object; body?: unknown }

function isFullAnswer(value: object): value is FullAnswer {
  const { status, headers } = value as FullAnswer
  if (typeof status !== 'number' && (typeof headers !== 'object' || headers === null)) return false
  for (const key of Object.keys(value)) if (key !== 'status' && key !== 'headers' && key !== 'body') return false
  return !Array.isArray(value)
}

function fromFullAnswer(full: FullAnswer): Answer {
  const inner =
    typeof full.body === 'object' && full.body !== null && isResponse(full.body) ? fromResponse(full.body) : fromValue(full.body)
  const status = full.status === undefined ? inner.status : checkStatus(full.status)
  if (full.headers === undefined || full.headers === null) return { status, headers: inner.headers, body: inner.body }
  const headers = flattenHeaders(full.headers)
  return { status, headers: hasContentType(headers) ? headers : [...inner.headers, ...headers], body: inner.body }
}

function checkStatus(status: unknown): number {
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599)
    throw invalid(`the status ${String(status)}; wanted a whole number from 200 to 599`)
  return status
}

function toJson(value: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw invalid(`a value that is no JSON: ${firstLine(cause)}`, cause)
  }
  if (text === undefined) throw invalid(`a ${typeof value}, which is no JSON value`)
  return text
}

function firstLine(thrown: unknown): string {
  return String(thrown instanceof Error ? thrown.message : thrown).split('\n', 1)[0] as string
}

export function invalid(what: string, cause?: unknown): KaonError {
  return new KaonError('response_invalid', `The handler returned ${what}.`, {
    hint: 'A handler returns nothing, text, bytes, a JSON value, { status, headers, body }, a Response or a stream.',
    ...(cause === undefined ? {} : { cause }),
  })
}

/** One chunk of a stream as bytes: text as UTF-8, bytes as they are, any other value as a line of JSON. */
export function chunkBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk
  if (typeof chunk === 'string') return Buffer.from(chunk)
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  if (types.isAnyArrayBuffer(chunk)) return new Uint8Array(chunk)
  return Buffer.from(`${toJson(chunk)}\n`)
}

/** The content type that a stream has by its first chunk. */
export function chunkType(chunk: unknown): readonly string[] {
  if (typeof chunk === 'string') return textType
  if (chunk === undefined || ArrayBuffer.isView(chunk) || types.isAnyArrayBuffer(chunk)) return bytesType
  return ['content-type', 'application/x-ndjson']
}
