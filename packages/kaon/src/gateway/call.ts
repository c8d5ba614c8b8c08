import { CancelReason, RefusedReason } from '../base/frames/frame.ts'
import { abandon } from './abandoned-calls.ts'
import { Answer, type AnswerOwner } from './answer.ts'
import { BodyWatch } from './body-watch.ts'
import { bodyLate, bodyTooLarge, handlerTimeout, workerLost } from './call-errors.ts'
import { type CallPlan, type CallServices, dueAtOf } from './call-plan.ts'
import type { DispatchedCall, Slot } from './dispatcher.ts'
import type { Exchange, ExchangeEvents } from './exchange.ts'
import { headersOfAnswer } from './headers-of-answer.ts'
import type { Held, HoldQueue } from './hold-queue.ts'
import { refusalOf } from './refusal.ts'
import { RequestBody, smallBodyBytes } from './request-body.ts'
import type { Timed } from './timer-wheel.ts'
import type { StreamEvents, WorkerStream } from './worker-stream.ts'

/** How long a small body is waited for before the call starts without it. */
const gatherMs = 10
/** What a call without its body is taken to hold while it waits. */
const headEstimate = 1_024

/**
 * One call from the head of its request to the end of its answer: gathers a small body, goes to the dispatcher, which sends it to a
 * worker or holds it, and carries both bodies. It goes elsewhere only when it is certain that its handler was not started.
 */
export class Call implements DispatchedCall, StreamEvents, ExchangeEvents, AnswerOwner, Timed {
  // Links of the queue and the wheel that it stands in.
  queue: HoldQueue | undefined
  before: Held | undefined
  behind: Held | undefined
  dueAt = 0
  slot = -1
  previous: Timed | undefined
  next: Timed | undefined

  readonly plan: CallPlan
  readonly #services: CallServices
  readonly #exchange: Exchange
  /** None when the request has none. */
  readonly #body: RequestBody | undefined
  readonly #answer: Answer
  #watch: BodyWatch | undefined
  #at: Slot | undefined
  #stream: WorkerStream | undefined
  #isGathering = false
  #isDone = false
  #sentAt = 0
  #answeredAt = 0
  #heldForReplica = false

  constructor(plan: CallPlan, exchange: Exchange, services: CallServices) {
    this.plan = plan
    this.#services = services
    this.#exchange = exchange
    this.#body = plan.bodyBytes === 0 ? undefined : new RequestBody(exchange)
    this.#answer = new Answer(exchange, this)
    exchange.events = this
  }

  get heldBytes(): number {
    return headEstimate + (this.#body?.receivedBytes ?? 0)
  }

  start(): void {
    const { plan } = this
    if (plan.bodyBytes === 0 || plan.bodyBytes === undefined || plan.bodyBytes > smallBodyBytes) {
      this.#submit()
      return
    }
    this.#isGathering = true
    this.#services.wheel.add(this, this.#services.clock.monotonic() + gatherMs)
    this.#body?.read()
  }

  /** The dispatcher found a place; its `head` has no deadline yet. */
  send(at: Slot): void {
    const { clock } = this.#services
    const now = clock.monotonic()
    this.#at = at
    this.#sentAt = now
    this.setTimeout(at.target.revision.routed.timeoutMs)
    const { head } = this.plan
    head.deadlineMs = this.dueAt === 0 ? 0 : Math.max(1, this.dueAt - now)
    const body = this.#body
    const whole = body?.whole
    try {
      this.#stream = at.target.connection.open(head, whole, body === undefined || whole !== undefined, this)
    } catch (error) {
      this.fail(error)
      return
    }
    body?.attach(at.target.connection, this.#stream, whole !== undefined)
  }

  /** The dispatcher could not place it yet. */
  held(timeoutMs: number, forReplica: boolean): void {
    this.#heldForReplica ||= forReplica
    this.#body?.pause()
    this.setTimeout(timeoutMs)
  }

  /** Times run from the head of the request; 0 is no timeout. */
  setTimeout(timeoutMs: number): void {
    const dueAt = dueAtOf(this.plan, timeoutMs)
    if (this.slot !== -1 && this.dueAt === dueAt) return
    this.#services.wheel.remove(this)
    this.dueAt = dueAt
    if (dueAt !== 0) this.#services.wheel.add(this, dueAt)
  }

  /** Ends it with an error of the gateway's own, as an answer if none has begun. */
  fail(thrown: unknown, reason: number = CancelReason.failed): void {
    if (this.#isDone) return
    if (this.#answer.isBegun) {
      this.#end(this.#answer.status, reason)
      this.#exchange.abort()
      return
    }
    const { status, headers, body, code } = refusalOf(thrown, this.plan.head.requestId, this.#services.log)
    headers.push(...this.plan.addedHeaders)
    this.#services.metrics.refused(code)
    this.#end(status, reason)
    if (this.#body?.isWhole !== false || (this.plan.bodyBytes ?? Number.POSITIVE_INFINITY) <= smallBodyBytes)
      this.#exchange.answer(status, headers, body)
    else this.#exchange.answerAndClose(status, headers, body)
  }

  onDue(): void {
    if (this.#isGathering) this.#submit()
    else if (this.#at === undefined) this.fail(this.#services.dispatcher.whyStillHeld(this))
    else this.fail(handlerTimeout(this.dueAt - this.plan.receivedAt), CancelReason.deadline)
  }

  // From the client

  onBody(chunk: Buffer): void {
    const body = this.#body
    if (this.#isDone || body === undefined) return
    const { metrics, limits } = this.#services
    metrics.received(chunk.length)
    if (body.receivedBytes + chunk.length > limits.maxBodyBytes) {
      this.fail(bodyTooLarge(limits.maxBodyBytes), CancelReason.tooLarge)
      return
    }
    this.#watch?.heard()
    body.received(chunk)
    if (this.#isGathering && body.receivedBytes === this.plan.bodyBytes) {
      // Its length was announced: this was all of it.
      body.ended([])
      this.#submit()
    }
  }

  onBodyEnd(trailers: readonly string[]): void {
    if (this.#isDone) return
    this.#watch?.stop()
    if (this.#body?.isWhole === false) this.#body.ended(trailers)
    if (this.#isGathering) this.#submit()
  }

  onDrained(): void {
    this.#answer.drained()
  }

  onGone(): void {
    if (!this.#isDone) this.#end(499, CancelReason.clientGone)
  }

  // From the worker

  onResponse(status: number, headers: readonly string[], isEnd: boolean): void {
    this.#isAccepted()
    this.#answeredAt = this.#services.clock.monotonic()
    if (this.dueAt !== 0 && this.#answeredAt >= this.dueAt && !this.#isDone) {
      // Whoever ends because the deadline came is late too, whichever clock was first to say so.
      this.onDue()
      return
    }
    this.#services.wheel.remove(this)
    this.#guarded(() => this.#answer.head(status, headers, isEnd), isEnd)
  }

  onData(chunk: Buffer, isEnd: boolean): void {
    this.#guarded(() => this.#answer.data(chunk, isEnd), isEnd)
  }

  onTrailers(trailers: readonly string[]): void {
    this.#guarded(() => this.#answer.trailers(trailers), true)
  }

  onPause(): void {
    if (!this.#isDone) this.#guarded(() => this.#answer.flush(), false)
  }

  onStarted(): void {
    this.#isAccepted()
  }

  onWritable(): void {
    // Credit comes from a handler that reads; a socket that drained says nothing about it.
    if (this.#stream?.isStarted) this.#isAccepted()
    this.#body?.pump()
  }

  onRefused(reason: number): void {
    this.#goElsewhere(reason === RefusedReason.full ? 'full' : 'closed')
  }

  onCancelled(): void {
    this.#stream = undefined
    this.fail(workerLost('The worker gave this call up.'))
  }

  onLost(mayGoElsewhere: boolean): void {
    if (mayGoElsewhere) this.#goElsewhere('lost')
    else {
      this.#stream = undefined
      this.fail(workerLost('The worker was lost while it ran this call.'))
    }
  }

  #submit(): void {
    this.#isGathering = false
    this.#services.wheel.remove(this)
    if (this.#body?.isWhole === false) this.#watchBody(this.#body)
    this.#services.dispatcher.submit(this, false)
  }

  #goElsewhere(why: 'full' | 'closed' | 'lost'): void {
    const at = this.#at
    this.#stream = undefined
    this.#at = undefined
    this.#body?.detach()
    if (at !== undefined) this.#services.dispatcher.refusedBy(at, why)
    if (this.#isDone) return
    if (this.#body?.isReplayable !== false) this.#services.dispatcher.submit(this, true)
    else this.fail(workerLost('The worker was lost before it started this call, whose body is too large to be sent again.'))
  }

  #isAccepted(): void {
    this.#body?.forgetSent()
  }

  /** Runs a step of the answer; what cannot be sent ends the call. */
  #guarded(step: () => void, isEnd: boolean): void {
    if (this.#isDone) return
    if (isEnd) this.#stream = undefined
    try {
      step()
    } catch (error) {
      this.fail(error)
      return
    }
    if (isEnd) this.#end(this.#answer.status)
  }

  /** `reason`: why it is given up in the middle. */
  #end(status: number, reason: number = CancelReason.failed): void {
    this.#isDone = true
    const { wheel, dispatcher, metrics, clock } = this.#services
    wheel.remove(this)
    this.#watch?.stop()
    const at = this.#at
    const stream = this.#stream
    this.#at = undefined
    this.#stream = undefined
    this.#body?.detach()
    if (at === undefined) {
      dispatcher.left(this)
      return
    }
    metrics.answered(at.target.revision.series, status, (clock.monotonic() - this.plan.receivedAt) / 1000)
    metrics.sent(this.#answer.sentBytes)
    if (stream === undefined) dispatcher.finished(at)
    else abandon(at, stream, reason, this.#services)
  }

  #watchBody(body: RequestBody): void {
    const { wheel, clock, limits } = this.#services
    const idleMs = limits.bodyIdleMs
    const onLate = () => this.fail(bodyLate(idleMs), CancelReason.clientGone)
    this.#watch = new BodyWatch({ body, wheel, clock, idleMs, onLate })
  }

  get refusedHeaderNames(): ReadonlySet<string> | undefined {
    return this.plan.refusedHeaderNames
  }

  onConsumed(bytes: number): void {
    if (this.#stream !== undefined) this.#at?.target.connection.consumed(this.#stream, bytes)
  }

  addedHeaders(): string[] {
    const { revision } = (this.#at as Slot).target
    return headersOfAnswer(this.plan, revision, {
      isCold: this.#heldForReplica,
      waitedMs: this.#sentAt - this.plan.receivedAt,
      handlerMs: this.#answeredAt - this.#sentAt,
    })
  }
}
