import { KaonError } from '../base/errors.ts'
import type { Exchange } from './exchange.ts'
import { hopByHop } from './hop-by-hop.ts'

/** End at this hop, or frame the message: the gateway says them itself. */
const ownHeaders: ReadonlySet<string> = new Set([...hopByHop, 'content-length'])

/** Whose answer it is. */
export interface AnswerOwner {
  /** Headers of the gateway's own. */
  addedHeaders(): string[]
  /** Names that the function may not give. */
  readonly refusedHeaderNames: ReadonlySet<string> | undefined
  /** The client has taken so many bytes. */
  onConsumed(bytes: number): void
}

/** The answer of a worker on its way to the client: whole when it came whole, else as it comes and no faster than it is read. */
export class Answer {
  readonly #exchange: Exchange
  readonly #owner: AnswerOwner
  readonly #hasBody: boolean
  #headers: string[] = []
  #declared: number | undefined
  #isHeadOut = false
  #unconsumed = 0
  status = 0
  sentBytes = 0

  constructor(exchange: Exchange, owner: AnswerOwner) {
    this.#exchange = exchange
    this.#owner = owner
    this.#hasBody = exchange.method !== 'HEAD'
  }

  /** Something has gone to the client: the answer can no longer be another one. */
  get isBegun(): boolean {
    return this.#isHeadOut
  }

  /** Throws `response_invalid` for what cannot be sent. */
  head(status: number, headers: readonly string[], isEnd: boolean): void {
    if (status < 200 || status > 599) throw invalid(`The status ${status} is not between 200 and 599.`)
    this.status = status
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] as string
      const value = headers[i + 1] as string
      if (name === 'content-length') {
        if (!/^\d{1,15}$/.test(value)) throw invalid(`The content-length '${value}' is not a number.`)
        this.#declared = Number(value)
      } else if (!ownHeaders.has(name) && this.#owner.refusedHeaderNames?.has(name) !== true) this.#headers.push(name, value)
    }
    if (isEnd && this.#canHaveBody && (this.#declared ?? 0) > 0)
      throw invalid(`The body is not the ${this.#declared} bytes that content-length says.`)
    if (isEnd) this.#whole(undefined)
  }

  /** Throws `response_invalid` when the body is not as long as was said. */
  data(chunk: Buffer, isEnd: boolean): void {
    this.sentBytes += chunk.length
    if (!this.#canHaveBody) {
      // What cannot be sent still counts as taken, so that the worker comes to its end.
      this.#owner.onConsumed(chunk.length)
      if (isEnd) this.#finish(undefined)
      return
    }
    if (this.#declared !== undefined && (this.sentBytes > this.#declared || (isEnd && this.sentBytes < this.#declared)))
      throw invalid(`The body is not the ${this.#declared} bytes that content-length says.`)
    if (isEnd && !this.#isHeadOut) {
      this.#whole(chunk)
      return
    }
    this.flush()
    if (chunk.length > 0) this.#write(chunk)
    if (isEnd) this.#finish(undefined)
  }

  trailers(trailers: readonly string[]): void {
    if (this.#canHaveBody && this.#declared !== undefined && this.sentBytes < this.#declared)
      throw invalid(`The body is not the ${this.#declared} bytes that content-length says.`)
    this.flush()
    this.#finish(trailers)
  }

  /** Sends the head of an answer whose body takes its time. */
  flush(): void {
    if (this.#isHeadOut || this.status === 0 || !this.#canHaveBody) return
    const headers = this.#complete()
    if (this.#declared !== undefined) headers.push('content-length', String(this.#declared))
    this.#give(() => this.#exchange.start(this.status, headers))
  }

  drained(): void {
    const bytes = this.#unconsumed
    this.#unconsumed = 0
    if (bytes > 0) this.#owner.onConsumed(bytes)
  }

  get #canHaveBody(): boolean {
    return this.#hasBody && this.status !== 204 && this.status !== 304
  }

  #write(chunk: Buffer): void {
    this.#unconsumed += chunk.length
    if (this.#exchange.write(chunk)) this.drained()
  }

  #finish(trailers: readonly string[] | undefined): void {
    if (this.#isHeadOut) this.#exchange.end(trailers)
    else this.#whole(undefined)
  }

  #whole(body: Buffer | undefined): void {
    const headers = this.#complete()
    if (!this.#canHaveBody) {
      // What GET would have had; node would say 0.
      if (this.#declared !== undefined && this.status !== 204) headers.push('content-length', String(this.#declared))
    } else headers.push('content-length', String(body?.length ?? 0))
    this.#give(() => this.#exchange.answer(this.status, headers, this.#canHaveBody ? body : undefined))
  }

  /** Names and values are checked where they are written; what is refused there leaves the answer open for another. */
  #give(step: () => void): void {
    try {
      step()
    } catch {
      throw invalid('The name or value of a header holds characters that are not allowed.')
    }
    this.#isHeadOut = true
  }

  #complete(): string[] {
    const added = this.#owner.addedHeaders()
    for (const header of added) this.#headers.push(header)
    return this.#headers
  }
}

function invalid(message: string): KaonError {
  return new KaonError('response_invalid', `The function's answer cannot be sent. ${message}`)
}
