import { HttpError } from '@kaon/sdk'
import { headerOf } from './call.ts'

/** A CloudEvent's attributes and data, from either HTTP content mode. */
export type CloudEvent = {
  id: string
  source: string
  type: string
  subject: string | undefined
  time: string | undefined
  datacontenttype: string | undefined
  /** Structured mode only: the data, apart from the envelope. */
  data?: { value: unknown } | { bytes: Uint8Array }
}

/** True when a body is one CloudEvent with its attributes inside (structured mode). */
export function isStructured(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/cloudevents\+json\s*(;|$)/i.test(contentType)
}

/** The event that `ce-` headers describe; undefined when there is none. Throws an `HttpError` 400 for half of one. */
export function binaryEvent(headers: readonly string[]): CloudEvent | undefined {
  if (headerOf(headers, 'ce-specversion') === undefined) return undefined
  const required = (name: string) => {
    const value = attribute(headers, name)
    if (value === undefined || value === '') throw new HttpError(400, `The CloudEvent has no header 'ce-${name}'.`)
    return value
  }
  return {
    id: required('id'),
    source: required('source'),
    type: required('type'),
    subject: attribute(headers, 'subject'),
    time: attribute(headers, 'time'),
    datacontenttype: headerOf(headers, 'content-type'),
  }
}

/** Header values are percent-encoded UTF-8 (CloudEvents HTTP binding 1.0, 3.1.3.2). */
function attribute(headers: readonly string[], name: string): string | undefined {
  const value = headerOf(headers, `ce-${name}`)
  if (value === undefined || !value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/** The event inside a structured body. Throws an `HttpError` 400 when it is none. */
export function structuredEvent(body: Uint8Array): CloudEvent {
  const value = parse(body)
  const text = (name: string) => {
    const each = value[name]
    if (each !== undefined && each !== null && typeof each !== 'string')
      throw new HttpError(400, `The CloudEvent's '${name}' is no string.`)
    return each ?? undefined
  }
  const required = (name: string) => {
    const each = text(name)
    if (each === undefined || each === '') throw new HttpError(400, `The CloudEvent has no '${name}'.`)
    return each
  }
  const base64 = text('data_base64')
  return {
    id: required('id'),
    source: required('source'),
    type: required('type'),
    subject: text('subject'),
    time: text('time'),
    datacontenttype: text('datacontenttype') ?? (base64 === undefined ? 'application/json' : undefined),
    data: base64 === undefined ? { value: value['data'] } : { bytes: Buffer.from(base64, 'base64') },
  }
}

function parse(body: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'))
  } catch (cause) {
    throw new HttpError(400, `The CloudEvent is not JSON: ${(cause as Error).message}`, { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new HttpError(400, 'The CloudEvent is no JSON object.')
  return value as Record<string, unknown>
}

/** The data of a structured event as bytes: JSON of its value, or its text when it is not of a JSON type. */
export function dataBytes(event: CloudEvent): Uint8Array {
  if (event.data === undefined) return Buffer.alloc(0)
  if ('bytes' in event.data) return event.data.bytes
  const { value } = event.data
  if (value === undefined) return Buffer.alloc(0)
  return Buffer.from(typeof value === 'string' && !isJsonType(event.datacontenttype) ? value : JSON.stringify(value))
}

function isJsonType(type: string | undefined): boolean {
  return type === undefined || /^[^;]*[/+]json\s*(;|$)/i.test(type)
}
