import { type Event, HttpError, type TriggerInfo } from '@kaon/sdk'
import { isoTime } from '../../../base/time.ts'
import { type Call, headerOf } from './call.ts'
import { binaryEvent, type CloudEvent, dataBytes, isStructured, structuredEvent } from './cloud-event.ts'
import { streamOf } from './request-body.ts'

const httpTrigger: TriggerInfo = Object.freeze({ kind: 'http', name: 'http', attempt: 1 })
const noBytes = new Uint8Array(0)
const decoder = new TextDecoder()

/** What is the same for all events of a worker. */
export type EventOrigin = { source: string; streamBody: boolean; epochNow(): number; now(): number }

/** The event of an HTTP call. It holds the call; each part is made when it is first asked for. */
export class CallEvent implements Event {
  readonly #call: Call
  readonly #origin: EventOrigin
  #cloudEvent: CloudEvent | null | undefined
  #headers: Headers | undefined
  #query: URLSearchParams | undefined
  #body: Uint8Array | undefined
  #stream: ReadableStream<Uint8Array> | undefined

  constructor(call: Call, origin: EventOrigin) {
    this.#call = call
    this.#origin = origin
  }

  get id(): string {
    return this.#attributes()?.id ?? this.#call.requestId
  }

  get source(): string {
    return this.#attributes()?.source ?? this.#origin.source
  }

  get type(): string {
    return this.#attributes()?.type ?? 'dev.kaon.http.request'
  }

  get subject(): string | undefined {
    return this.#attributes()?.subject
  }

  get time(): string {
    return this.#attributes()?.time ?? isoTime(this.#origin.epochNow() - (this.#origin.now() - this.#call.arrivedAt))
  }

  get datacontenttype(): string | undefined {
    const attributes = this.#attributes()
    return attributes === undefined ? this.#call.header('content-type') : attributes.datacontenttype
  }

  get headers(): Headers {
    this.#headers ??= toHeaders(this.#call.incoming.headers)
    return this.#headers
  }

  get body(): Uint8Array {
    this.#body ??= this.#readBody()
    return this.#body
  }

  text(): string {
    const body = this.body
    return body.byteLength === 0 ? '' : decoder.decode(body)
  }

  json<T = unknown>(): T {
    const data = this.#attributes()?.data
    if (data !== undefined && 'value' in data && typeof data.value !== 'string') return data.value as T
    const text = this.text()
    try {
      return JSON.parse(text) as T
    } catch (cause) {
      throw new HttpError(400, text === '' ? 'The body is empty; wanted JSON.' : `The body is not JSON: ${(cause as Error).message}`, {
        cause,
      })
    }
  }

  get stream(): ReadableStream<Uint8Array> {
    if (this.#stream === undefined) {
      const { body } = this.#call.incoming
      this.#stream = this.#origin.streamBody ? (body?.stream() ?? streamOf(noBytes)) : streamOf(this.body)
    }
    return this.#stream
  }

  get method(): string {
    return this.#call.incoming.method
  }

  get path(): string {
    const { target } = this.#call.incoming
    const mark = target.indexOf('?')
    return mark === -1 ? target : target.slice(0, mark)
  }

  get query(): URLSearchParams {
    if (this.#query === undefined) {
      const { target } = this.#call.incoming
      const mark = target.indexOf('?')
      this.#query = new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1))
    }
    return this.#query
  }

  get trigger(): TriggerInfo {
    return httpTrigger
  }

  #attributes(): CloudEvent | undefined {
    if (this.#cloudEvent === undefined) {
      const { headers } = this.#call.incoming
      const isWhole = isStructured(headerOf(headers, 'content-type')) && !this.#origin.streamBody
      this.#cloudEvent = (isWhole ? structuredEvent(this.#wholeBody()) : binaryEvent(headers)) ?? null
    }
    return this.#cloudEvent ?? undefined
  }

  #readBody(): Uint8Array {
    if (this.#origin.streamBody)
      throw new TypeError("The body comes as a stream here: read event.stream, or remove 'export const streamBody = true'.")
    const attributes = isStructured(this.#call.header('content-type')) ? this.#attributes() : undefined
    return attributes === undefined ? this.#wholeBody() : dataBytes(attributes)
  }

  #wholeBody(): Uint8Array {
    return this.#call.incoming.body?.whole() ?? noBytes
  }
}

export function toHeaders(flat: readonly string[]): Headers {
  const headers = new Headers()
  for (let i = 0; i < flat.length; i += 2) headers.append(flat[i] as string, flat[i + 1] as string)
  return headers
}
