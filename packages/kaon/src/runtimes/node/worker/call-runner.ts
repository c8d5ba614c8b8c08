import { isKaonError, KaonError } from '../../../base/errors.ts'
import { type Answer, type ChunkSource, invalid, toAnswer } from './answer.ts'
import type { Call } from './call.ts'
import type { Counters } from './counters.ts'
import { Deadlines, type DeadlinesDeps } from './deadlines.ts'
import { failureAnswer, problemAnswer } from './failure-answer.ts'
import type { LogQueue } from './log-queue.ts'
import { plainError } from './plain-fields.ts'
import { discardAnswer, sendStream } from './send-stream.ts'

export type CallRunnerDeps = DeadlinesDeps & {
  /** Calls the handler, within the call's scope. */
  handler(call: Call): unknown
  counters: Counters
  logs: LogQueue
  /** Calls at once; 0 is unlimited. */
  concurrency: number
  timeoutMs: number
}

/** Runs calls, whichever way they came: slots, deadlines, results, failures. */
export class CallRunner {
  readonly #deps: CallRunnerDeps
  readonly #deadlines: Deadlines<Call>
  #isDraining = false
  #onIdle: (() => void) | undefined

  constructor(deps: CallRunnerDeps) {
    this.#deps = deps
    this.#deadlines = new Deadlines(deps, (call) => this.#expire(call))
  }

  get timeoutMs(): number {
    return this.#deps.timeoutMs
  }

  now(): number {
    return this.#deps.now()
  }

  /** Gives the call a slot, or says why not. */
  admit(call: Call): 'admitted' | 'draining' | 'full' {
    if (this.#isDraining) return 'draining'
    const { counters, concurrency } = this.#deps
    if (concurrency !== 0 && counters.inFlight >= concurrency) return 'full'
    counters.admitted(call.arrivedAt)
    this.#deadlines.add(call)
    return 'admitted'
  }

  /** Calls the handler. Whoever calls this has marked the call as started where others can see it. */
  start(call: Call): void {
    if (call.isReleased || call.isAnswered) return
    call.isStarted = true
    this.#deps.counters.started()
    let result: unknown
    try {
      result = this.#deps.handler(call)
    } catch (thrown) {
      this.#fail(call, thrown)
      return
    }
    if (typeof result === 'object' && result !== null && typeof (result as PromiseLike<unknown>).then === 'function')
      (result as PromiseLike<unknown>).then(
        (value) => this.#finish(call, value),
        (thrown) => this.#fail(call, thrown),
      )
    else this.#finish(call, result)
  }

  /** Answers a call whose handler is not started. */
  reject(call: Call, error: KaonError): void {
    call.incoming.body?.drop()
    this.#send(call, problemAnswer(error, call.requestId))
  }

  /** Nobody waits any more: the caller went away, or was answered by the gateway at the deadline. */
  cancel(call: Call, why: 'deadline' | 'gone'): void {
    if (call.isReleased || call.isAbandoned) return
    this.#deadlines.remove(call)
    if (why === 'deadline' && !call.isExpired) this.#markExpired(call)
    call.abort(why === 'deadline' ? this.#timeoutError() : new DOMException('The caller went away.', 'AbortError'))
    this.#abandon(call)
  }

  /** Refuses new calls; resolves when none is left. */
  drain(): Promise<void> {
    this.#isDraining = true
    return new Promise((resolve) => {
      this.#onIdle = resolve
      if (this.#deps.counters.inFlight === 0) resolve()
    })
  }

  #finish(call: Call, result: unknown): void {
    if (call.isAbandoned) {
      discardAnswer(result)
      this.#release(call)
      return
    }
    let answer: Answer
    try {
      answer = toAnswer(result)
    } catch (thrown) {
      this.#fail(call, isKaonError(thrown) ? thrown : invalid('something that cannot be read', thrown))
      return
    }
    if (typeof answer.body === 'object' && 'chunks' in answer.body) void this.#stream(call, answer, answer.body.chunks)
    else this.#send(call, answer)
  }

  #fail(call: Call, thrown: unknown): void {
    const answer = failureAnswer(thrown, call.requestId)
    if (answer.status >= 500) this.#logFailure(call, thrown)
    if (call.isAbandoned) this.#release(call)
    else this.#send(call, answer)
  }

  #send(call: Call, answer: Answer): void {
    this.#answered(call)
    call.isFailed = answer.status >= 500
    const hasBody = answer.status !== 204 && answer.status !== 304 && call.incoming.method !== 'HEAD'
    const sent = call.reply.send(answer.status, answer.headers, answer.body as string | Uint8Array | undefined, hasBody)
    if (sent === undefined) this.#release(call)
    else sent.then(() => this.#release(call))
  }

  async #stream(call: Call, answer: Answer, source: ChunkSource): Promise<void> {
    call.source = source
    try {
      const whole = await sendStream(call, answer, source, () => this.#answered(call))
      if (whole !== undefined && !call.isAbandoned) return this.#send(call, whole)
    } catch (thrown) {
      if (!call.isAnswered) return this.#fail(call, thrown)
      if (!call.isAbandoned) {
        this.#logFailure(call, thrown)
        call.isFailed = true
        call.reply.break()
      }
    }
    this.#release(call)
  }

  #answered(call: Call): void {
    call.isAnswered = true
    this.#deadlines.remove(call)
  }

  #expire(call: Call): void {
    if (!call.isExpired) {
      this.#markExpired(call)
      call.abort(this.#timeoutError())
      if (call.reply.graceMs > 0 && call.isStarted) {
        call.deadlineAt += call.reply.graceMs
        this.#deadlines.add(call)
        return
      }
    }
    const error = new KaonError('handler_timeout', `The function did not answer within ${this.#deps.timeoutMs} ms.`)
    const answer = problemAnswer(error, call.requestId)
    call.isFailed = true
    if (!call.isStarted) {
      this.#send(call, answer)
      return
    }
    call.reply.send(answer.status, answer.headers, answer.body as string, call.incoming.method !== 'HEAD')
    this.#abandon(call)
  }

  #markExpired(call: Call): void {
    call.isExpired = true
    this.#deps.counters.timedOut()
    const waited = Math.round(this.#deps.now() - call.arrivedAt)
    const msg = call.isStarted
      ? `The call was not answered within ${waited} ms.`
      : `The request's body was not complete within ${waited} ms.`
    this.#deps.logs.add({ level: 'warn', msg, requestId: call.requestId, stream: 'platform' })
  }

  /** The call has had its answer, or needs none; its slot is free when the handler settles. */
  #abandon(call: Call): void {
    call.isAnswered = true
    call.incoming.body?.fail(new DOMException('The caller went away.', 'AbortError'))
    if (!call.isStarted) {
      this.#release(call)
      call.reply.released()
      return
    }
    call.isAbandoned = true
    call.isFailed = true
    this.#deps.counters.changeAbandoned(1)
    if (call.source !== undefined) discardAnswer(call.source)
  }

  #release(call: Call): void {
    if (call.isReleased) return
    call.isReleased = true
    const now = this.#deps.now()
    const { counters } = this.#deps
    counters.released(now)
    if (call.isStarted) counters.finished(now - call.arrivedAt, call.isFailed)
    if (call.isAbandoned) {
      counters.changeAbandoned(-1)
      call.reply.released()
    }
    if (counters.inFlight === 0) this.#onIdle?.()
  }

  #timeoutError(): DOMException {
    return new DOMException(`The function did not answer within ${this.#deps.timeoutMs} ms.`, 'TimeoutError')
  }

  #logFailure(call: Call, thrown: unknown): void {
    const isError = thrown instanceof Error
    const msg = isError ? `${thrown.name}: ${thrown.message}` : `The handler threw ${String(thrown)}, which is no Error.`
    const fields = isError ? { fields: plainError(thrown) } : {}
    this.#deps.logs.add({ level: 'error', msg, requestId: call.requestId, ...fields })
  }
}
