import type { Context, Logger, Metrics, Trace } from '@kaon/sdk'
import { KaonError } from '../../../base/errors.ts'
import type { LogLevel } from '../../../base/log.ts'
import type { InvokeOptions, Invoker } from './invoke.ts'
import type { LogQueue } from './log-queue.ts'
import { plainFields } from './plain-fields.ts'
import { traceOf } from './trace.ts'

/** What a context needs of its call; `init` has one too, with no request. */
export type CallFacts = {
  readonly requestId: string
  readonly signal: AbortSignal
  readonly deadlineAt: number
  header(name: string): string | undefined
}

/** What is the same for all calls of a worker. */
export type WorkerScope = {
  namespace: string
  function: string
  revision: string
  index: number
  secrets: Readonly<Record<string, string>>
  userData: Record<string, unknown>
  logs: LogQueue
  metrics: Metrics
  invoker: Invoker
  now(): number
  epochNow(): number
  waitUntil(promise: Promise<unknown>, requestId: string): void
}

const bindings: Readonly<Record<string, unknown>> = new Proxy(Object.create(null), {
  get(_, name) {
    if (typeof name === 'symbol') return undefined
    throw new KaonError('not_available', `There are no bindings yet: 'context.bindings.${name}' cannot be used.`)
  },
})

export class CallContext implements Context {
  readonly #call: CallFacts
  readonly #scope: WorkerScope
  #logger: Logger | undefined
  #trace: Trace | undefined

  constructor(call: CallFacts, scope: WorkerScope) {
    this.#call = call
    this.#scope = scope
  }

  get logger(): Logger {
    this.#logger ??= new CallLogger(this.#scope.logs, this.#call.requestId)
    return this.#logger
  }

  get metrics(): Metrics {
    return this.#scope.metrics
  }

  get secrets(): Readonly<Record<string, string>> {
    return this.#scope.secrets
  }

  get bindings(): Readonly<Record<string, unknown>> {
    return bindings
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }

  get deadline(): number {
    return Math.round(this.#scope.epochNow() + this.#call.deadlineAt - this.#scope.now())
  }

  get requestId(): string {
    return this.#call.requestId
  }

  get trace(): Trace {
    this.#trace ??= traceOf(this.#call.header('traceparent'), this.#call.header('tracestate'))
    return this.#trace
  }

  get function(): string {
    return this.#scope.function
  }

  get revision(): string {
    return this.#scope.revision
  }

  get namespace(): string {
    return this.#scope.namespace
  }

  get worker(): number {
    return this.#scope.index
  }

  get userData(): Record<string, unknown> {
    return this.#scope.userData
  }

  invoke(functionName: string, payload?: unknown, options?: InvokeOptions): Promise<Response> {
    return this.#scope.invoker.invoke({
      function: functionName,
      payload,
      options: options ?? {},
      requestId: this.#call.requestId,
      trace: this.trace,
      depth: Number(this.#call.header('kaon-depth') ?? 0) || 0,
      remainingMs: this.#call.deadlineAt - this.#scope.now(),
      signal: this.#call.signal,
    })
  }

  async publish(topic: string): Promise<void> {
    throw new KaonError('not_available', `There are no topics yet: nothing can be published to '${topic}'.`)
  }

  waitUntil(promise: Promise<unknown>): void {
    this.#scope.waitUntil(promise, this.#call.requestId)
  }

  /** What fetch handlers written for other hosts call; a failure is always answered by the platform here. */
  passThroughOnException(): void {}
}

class CallLogger implements Logger {
  readonly #logs: LogQueue
  readonly #requestId: string

  constructor(logs: LogQueue, requestId: string) {
    this.#logs = logs
    this.#requestId = requestId
  }

  debug(message: string, fields?: Record<string, unknown>): void {
    this.#add('debug', message, fields)
  }

  info(message: string, fields?: Record<string, unknown>): void {
    this.#add('info', message, fields)
  }

  warn(message: string, fields?: Record<string, unknown>): void {
    this.#add('warn', message, fields)
  }

  error(message: string, fields?: Record<string, unknown>): void {
    this.#add('error', message, fields)
  }

  #add(level: LogLevel, message: unknown, fields: unknown): void {
    if (!this.#logs.isLogged(level)) return
    const plain = plainFields(fields)
    const request = this.#requestId === '' ? {} : { requestId: this.#requestId }
    this.#logs.add({ level, msg: String(message), ...request, ...(plain === undefined ? {} : { fields: plain }) })
  }
}
