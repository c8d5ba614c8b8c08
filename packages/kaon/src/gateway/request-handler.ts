import { KaonError } from '../base/errors.ts'
import type { RoutedRule } from '../model/routing-table.ts'
import { parseHost, parseTarget, type Target } from './address.ts'
import { checkApiKey } from './api-key.ts'
import { Call } from './call.ts'
import { bodyTooLarge } from './call-errors.ts'
import type { CallPlan, CallServices } from './call-plan.ts'
import type { Wanted } from './choose-revision.ts'
import { answerHeaders, corsHeaderNames, preflightHeaders } from './cors.ts'
import type { Exchange } from './exchange.ts'
import { type OwnPageFacts, ownPage } from './own-pages.ts'
import { type ReceivedHead, readHead } from './received-head.ts'
import { refusalOf } from './refusal.ts'
import { smallBodyBytes } from './request-body.ts'
import type { RequestIds } from './request-ids.ts'
import type { CompiledDestination, Match, Router } from './router.ts'
import { UrlCall, type UrlCallServices } from './url-call.ts'
import { chooseWeighted } from './weighted-choice.ts'

export type RequestHandlerDeps = CallServices &
  Pick<UrlCallServices, 'network' | 'agent'> & {
    router(): Router
    ids: RequestIds
    draw(): number
    /** Reachable from other machines: only routes that say who may call are served. */
    isBeyondLoopback: boolean
    pageFacts(): OwnPageFacts
  }

type RuleMatch = Match & { kind: 'rule' }
const nothing: readonly string[] = []
const sandboxed: readonly string[] = ['content-security-policy', 'sandbox']

/** What happens with a request, from its head: a page of our own, a refusal, a call of a function, or a way to a URL. */
export class RequestHandler {
  readonly #deps: RequestHandlerDeps

  constructor(deps: RequestHandlerDeps) {
    this.#deps = deps
  }

  handle(exchange: Exchange): void {
    const { clock, limits, ids } = this.#deps
    const receivedAt = clock.monotonic()
    let requestId: string | undefined
    let head: ReceivedHead | undefined
    try {
      head = readHead(exchange, limits.maxHeaders)
      requestId = head.requestId ?? ids.next()
      if (head.contentLength !== undefined && head.contentLength > limits.maxBodyBytes) throw bodyTooLarge(limits.maxBodyBytes)
      this.#route(exchange, head, requestId, receivedAt)
    } catch (error) {
      this.#refuse(exchange, error, requestId ?? ids.next(), nothing, head)
    }
  }

  #route(exchange: Exchange, head: ReceivedHead, requestId: string, receivedAt: number): void {
    const host = head.host === undefined ? '' : parseHost(head.host)
    if (host === undefined) throw new KaonError('invalid_request', 'The Host header is not a host name.')
    const target = parseTarget(exchange.target, head.host)
    const request = {
      // Over the unix socket a function is found by its path whatever the caller says its host is.
      host: exchange.isTrusted && target.path.startsWith('/fn/') ? 'localhost' : host,
      path: target.path,
      method: exchange.method,
      headers: head.forwarded,
    }
    const router = this.#deps.router()
    if (exchange.method === 'OPTIONS' && head.origin !== undefined && head.preflightMethod !== undefined) {
      const match = router.match({ ...request, preflightMethod: head.preflightMethod })
      if (match.kind === 'rule' && match.rule.cors !== undefined && this.#mayServe(exchange, match.rule.auth)) {
        exchange.answer(204, ['x-request-id', requestId, ...preflightHeaders(match.rule.cors, head.origin)], undefined)
        return
      }
    }
    const match = router.match(request)
    switch (match.kind) {
      case 'function': {
        if (!this.#mayServe(exchange, undefined)) throw notOpen()
        const { namespace, name } = match.function
        const wanted = this.#wanted(head, { namespace, name, ...(match.tag === undefined ? {} : { tag: match.tag }) })
        const plan = this.#plan(exchange, head, requestId, receivedAt, match.path, target)
        plan.wanted = wanted
        if (match.isShared) plan.addedHeaders = sandboxed
        new Call(plan, exchange, this.#deps).start()
        return
      }
      case 'rule':
        this.#follow(match, exchange, head, this.#plan(exchange, head, requestId, receivedAt, match.path, target))
        return
      case 'own':
        this.#answerOwn(match.path, exchange, requestId)
        return
      default:
        if (target.path === '/healthz' || target.path === '/readyz') this.#answerOwn(target.path, exchange, requestId)
        else throw match.error
    }
  }

  #follow({ rule, to }: RuleMatch, exchange: Exchange, head: ReceivedHead, plan: CallPlan): void {
    if (rule.cors !== undefined) {
      plan.addedHeaders = answerHeaders(rule.cors, head.origin)
      plan.refusedHeaderNames = corsHeaderNames
    }
    plan.timeoutMs = rule.timeoutMs
    try {
      if (!this.#mayServe(exchange, rule.auth)) throw notOpen()
      if (rule.auth?.kind === 'api-key') {
        checkApiKey(rule.auth, head.forwarded)
        removeHeader(head.forwarded, rule.auth.header.toLowerCase())
      }
      const destination = chooseWeighted(to, this.#deps.draw())
      if (destination === undefined) throw new KaonError('revision_not_ready', 'No destination of this route has any weight.')
      this.#send(destination, exchange, head, plan)
    } catch (error) {
      // With the headers of the rule, so that a page may read why.
      this.#refuse(exchange, error, plan.head.requestId, plan.addedHeaders, head)
    }
  }

  #send(destination: CompiledDestination, exchange: Exchange, head: ReceivedHead, plan: CallPlan): void {
    if (destination.kind === 'broken') throw new KaonError('revision_not_ready', 'The route leads to an address that is none.')
    if (destination.kind === 'url') {
      new UrlCall(plan, destination.url, exchange, this.#deps)
      return
    }
    const { namespace, name, pinnedUid } = destination
    plan.wanted = this.#wanted(head, { namespace, name, ...(pinnedUid === undefined ? {} : { pinnedUid }) })
    new Call(plan, exchange, this.#deps).start()
  }

  #wanted({ tag, revision }: ReceivedHead, wanted: Wanted): Wanted {
    if (tag !== undefined) wanted.preferredTag = tag
    if (revision !== undefined) wanted.preferredRevision = revision
    return wanted
  }

  #plan(exchange: Exchange, head: ReceivedHead, requestId: string, receivedAt: number, path: string, target: Target): CallPlan {
    const { forwarded } = head
    forwarded.push('x-request-id', requestId, 'traceparent', head.traceparent ?? this.#deps.ids.nextTrace())
    if (exchange.peer !== undefined) forwarded.push('x-forwarded-for', exchange.peer)
    forwarded.push('x-forwarded-proto', 'http')
    if (head.host !== undefined) forwarded.push('x-forwarded-host', head.host)
    return {
      wanted: { namespace: '', name: '' },
      head: { method: exchange.method, target: path + target.query, requestId, deadlineMs: 0, headers: forwarded },
      receivedAt,
      timeoutMs: undefined,
      callerTimeoutMs: head.callerTimeoutMs,
      bodyBytes: head.isChunked ? undefined : (head.contentLength ?? 0),
      addedHeaders: nothing,
      refusedHeaderNames: undefined,
      wantsTiming: head.wantsTiming,
    }
  }

  #mayServe(exchange: Exchange, auth: RoutedRule['auth']): boolean {
    return !this.#deps.isBeyondLoopback || exchange.isTrusted || auth !== undefined
  }

  #answerOwn(path: string, exchange: Exchange, requestId: string): void {
    const isPublic = path === '/healthz' || path === '/readyz'
    if (!isPublic && !this.#mayServe(exchange, undefined)) throw notOpen()
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD')
      throw new KaonError('method_not_allowed', `'${exchange.method}' is not allowed at '${path}'; use GET.`)
    const { status, headers, body } = ownPage(path, this.#deps.pageFacts())
    headers.push('x-request-id', requestId, 'content-length', String(body.length))
    exchange.answer(status, headers, exchange.method === 'HEAD' ? undefined : body)
  }

  #refuse(exchange: Exchange, error: unknown, requestId: string, added: readonly string[], head: ReceivedHead | undefined): void {
    const { status, headers, body, code } = refusalOf(error, requestId, this.#deps.log)
    this.#deps.metrics.refused(code)
    headers.push(...added)
    const isShort = head !== undefined && !head.isChunked && (head.contentLength ?? 0) <= smallBodyBytes
    if (!isShort) {
      exchange.answerAndClose(status, headers, body)
      return
    }
    headers.push('content-length', String(body.length))
    exchange.answer(status, headers, exchange.method === 'HEAD' ? undefined : body)
  }
}

function notOpen(): KaonError {
  return new KaonError('forbidden', 'This gateway is reachable from other machines, and nothing says that this may be called from there.', {
    hint: "Add a Route whose rule says 'auth: { open: true }' or 'auth: { apiKey: … }'.",
  })
}

function removeHeader(headers: string[], name: string): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) if (headers[i] === name) headers.splice(i, 2)
}
