import { KaonError } from '../base/errors.ts'
import type { Agent, ClientRequest, IncomingMessage, Network } from '../base/system.ts'
import { bodyTooLarge } from './call-errors.ts'
import { type CallPlan, type CallServices, dueAtOf } from './call-plan.ts'
import type { Exchange, ExchangeEvents } from './exchange.ts'
import { hopByHop } from './hop-by-hop.ts'
import { refusalOf } from './refusal.ts'
import { createTimed } from './timer-wheel.ts'

const defaultTimeoutMs = 30_000

export type UrlCallServices = Omit<CallServices, 'dispatcher'> & { network: Pick<Network, 'httpRequest' | 'httpsRequest'>; agent: Agent }

/** A request that a Route sends to a plain URL: passed on as it is, both bodies as fast as the slower side takes them. */
export class UrlCall implements ExchangeEvents {
  readonly #plan: CallPlan
  readonly #exchange: Exchange
  readonly #services: UrlCallServices
  readonly #timer = createTimed(() =>
    this.#fail(new KaonError('timed_out', 'The address that this route leads to did not answer in time.')),
  )
  readonly #request: ClientRequest
  #answer: IncomingMessage | undefined
  #receivedBytes = 0
  #isDone = false

  constructor(plan: CallPlan, url: URL, exchange: Exchange, services: UrlCallServices) {
    this.#plan = plan
    this.#exchange = exchange
    this.#services = services
    const { network, agent, wheel, limits } = services
    const isTls = url.protocol === 'https:'
    this.#request = (isTls ? network.httpsRequest : network.httpRequest)(url, {
      method: plan.head.method,
      path: joinPath(url, plan.head.target),
      headers: headersFor(plan, url),
      setHost: false,
      maxHeaderSize: limits.maxHeadBytes,
      ...(isTls ? {} : { agent }),
    })
    this.#request.on('response', (answer) => this.#answered(answer))
    this.#request.on('drain', () => exchange.readBody())
    this.#request.on('error', (cause) => {
      this.#fail(new KaonError('server_unreachable', 'The address that this route leads to cannot be reached.', { cause }))
    })
    exchange.events = this
    wheel.add(this.#timer, dueAtOf(plan, defaultTimeoutMs))
    if (plan.bodyBytes === 0) this.#request.end()
    else exchange.readBody()
  }

  onBody(chunk: Buffer): void {
    if (this.#isDone) return
    this.#receivedBytes += chunk.length
    if (this.#receivedBytes > this.#services.limits.maxBodyBytes) this.#fail(bodyTooLarge(this.#services.limits.maxBodyBytes))
    else if (!this.#request.write(chunk)) this.#exchange.pauseBody()
  }

  onBodyEnd(): void {
    if (!this.#isDone) this.#request.end()
  }

  onDrained(): void {
    this.#answer?.resume()
  }

  onGone(): void {
    this.#finish()
    this.#request.destroy()
  }

  #answered(answer: IncomingMessage): void {
    this.#services.wheel.remove(this.#timer)
    this.#answer = answer
    const headers = [...this.#plan.addedHeaders, 'x-request-id', this.#plan.head.requestId]
    for (let i = 0; i < answer.rawHeaders.length; i += 2) {
      const name = (answer.rawHeaders[i] as string).toLowerCase()
      if (!hopByHop.has(name) && this.#plan.refusedHeaderNames?.has(name) !== true) headers.push(name, answer.rawHeaders[i + 1] as string)
    }
    const status = answer.statusCode ?? 502
    answer.on('error', () => this.#fail(new KaonError('server_unreachable', 'The address that this route leads to broke off its answer.')))
    if (this.#exchange.method === 'HEAD' || status === 204 || status === 304) {
      answer.resume()
      this.#finish()
      this.#exchange.answer(status, headers, undefined)
      return
    }
    this.#exchange.start(status, headers)
    answer.on('data', (chunk: Buffer) => {
      if (!this.#exchange.write(chunk)) answer.pause()
    })
    answer.on('end', () => {
      if (this.#isDone) return
      this.#finish()
      this.#exchange.end(answer.rawTrailers.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text)))
    })
  }

  #fail(error: KaonError): void {
    if (this.#isDone) return
    this.#finish()
    this.#request.destroy()
    if (this.#answer !== undefined) {
      this.#exchange.abort()
      return
    }
    const { status, headers, body, code } = refusalOf(error, this.#plan.head.requestId, this.#services.log)
    this.#services.metrics.refused(code)
    headers.push(...this.#plan.addedHeaders)
    if (this.#plan.bodyBytes === 0) this.#exchange.answer(status, headers, body)
    else this.#exchange.answerAndClose(status, headers, body)
  }

  #finish(): void {
    this.#isDone = true
    this.#services.wheel.remove(this.#timer)
  }
}

/** The target under the path of the destination. */
function joinPath(url: URL, target: string): string {
  return `${url.pathname.replace(/\/$/, '')}${target}`
}

/** The destination's own host; node frames the body again by what is announced. */
function headersFor(plan: CallPlan, url: URL): string[] {
  const headers = ['host', url.host]
  const given = plan.head.headers
  for (let i = 0; i < given.length; i += 2) if (given[i] !== 'host') headers.push(given[i] as string, given[i + 1] as string)
  if (plan.bodyBytes === undefined) headers.push('transfer-encoding', 'chunked')
  return headers
}
