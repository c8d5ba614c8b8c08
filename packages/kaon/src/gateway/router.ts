import { KaonError } from '../base/errors.ts'
import type { RoutedFunction, RoutedRevision, RoutingTable } from '../model/routing-table.ts'
import { isLoopbackName } from './address.ts'
import { type CompiledRule, RuleSet, rewritePath } from './rule-set.ts'

export type RouterOptions = {
  /** Functions are at `{function}.{namespace}.{domain}`. */
  domain: string
  /** Whether `/fn/{namespace}/{function}/…` is served under names other than those of loopback. */
  allowPathAddress: boolean
}

export type RouteRequest = {
  /** Lower case, without port. */
  host: string
  path: string
  method: string
  /** Names in lower case and values alternate. */
  headers: readonly string[]
  /** For a CORS preflight: the method of the request to come. Only rules with CORS are then looked at. */
  preflightMethod?: string
}

/** A function of the table with what a call needs to choose a revision of it. */
export type CompiledFunction = RoutedFunction & {
  shares: { revision: RoutedRevision; weight: number }[]
  tagged: Map<string, RoutedRevision>
  named: Map<string, RoutedRevision>
}

export type CompiledDestination =
  | { kind: 'function'; weight: number; namespace: string; name: string; pinnedUid?: string }
  | { kind: 'url'; weight: number; url: URL }
  /** Keeps its share, and refuses it: one bad address must not stop the rest of the table. */
  | { kind: 'broken'; weight: number }

export type Match =
  /** A function's own address. `isShared`: it stands on one web origin with others. */
  | { kind: 'function'; function: CompiledFunction; tag?: string; path: string; isShared: boolean }
  | { kind: 'rule'; rule: CompiledRule; to: readonly CompiledDestination[]; path: string }
  /** The gateway's own pages. */
  | { kind: 'own'; path: string }
  | { kind: 'none'; error: KaonError }

type FunctionHost = { function: CompiledFunction; tag?: string }
type HostEntry = {
  isLoopback: boolean
  own: FunctionHost | undefined
  /** Why it is no function's address though it looks like one. */
  missing: string | undefined
  exact: RuleSet | undefined
  /** Rules of less exact hosts. */
  wider: RuleSet[]
}

const ownPaths = new Set(['/healthz', '/readyz', '/metrics'])
const maxRememberedHosts = 1_000

/** Where a request goes, by the table it was made from. Holds no I/O; made anew for each table. */
export class Router {
  readonly #options: RouterOptions
  readonly #suffix: string
  readonly #functions = new Map<string, CompiledFunction>()
  readonly #revisions = new Map<string, RoutedRevision>()
  readonly #exactHosts = new Map<string, RuleSet>()
  readonly #wildcards = new Map<string, RuleSet>()
  readonly #anyHost = new RuleSet()
  readonly #destinations = new Map<CompiledRule['to'], CompiledDestination[]>()
  readonly #hosts = new Map<string, HostEntry>()

  constructor(table: RoutingTable, options: RouterOptions) {
    this.#options = options
    this.#suffix = `.${options.domain}`
    for (const revision of table.revisions) this.#revisions.set(revision.uid, revision)
    for (const fn of table.functions) this.#functions.set(`${fn.namespace}/${fn.name}`, this.#compileFunction(fn))
    for (const revision of table.revisions)
      this.#functions.get(`${revision.namespace}/${revision.function}`)?.named.set(revision.name, revision)
    for (const { namespace, name, hosts, rules } of table.routes) {
      const sets = hosts.length === 0 ? [this.#anyHost] : hosts.map((host) => this.#ruleSetOf(host.toLowerCase()))
      for (const rule of rules) {
        this.#destinations.set(
          rule.to,
          rule.to.map((to) => compileDestination(to)),
        )
        for (const set of sets) set.add(namespace, name, rule)
      }
    }
  }

  function(namespace: string, name: string): CompiledFunction | undefined {
    return this.#functions.get(`${namespace}/${name}`)
  }

  revision(uid: string): RoutedRevision | undefined {
    return this.#revisions.get(uid)
  }

  match(request: RouteRequest): Match {
    const entry = this.#host(request.host)
    const { path } = request
    if (entry.isLoopback && (path.startsWith('/fn/') || ownPaths.has(path)))
      return path.startsWith('/fn/') ? this.#pathAddress(path) : { kind: 'own', path }
    // Nobody but its own namespace may put rules before a function's address.
    const rule = entry.exact?.find(request, entry.own?.function.namespace)
    if (rule !== undefined) return this.#ruleMatch(rule, path)
    if (entry.own !== undefined) return { kind: 'function', ...entry.own, path, isShared: false }
    for (const rules of entry.wider) {
      const wider = rules.find(request)
      if (wider !== undefined) return this.#ruleMatch(wider, path)
    }
    if (entry.missing !== undefined) return { kind: 'none', error: new KaonError('route_not_found', entry.missing, { hint: listHint }) }
    if (this.#options.allowPathAddress && path.startsWith('/fn/')) return this.#pathAddress(path)
    if (entry.isLoopback && path === '/') return { kind: 'own', path }
    return { kind: 'none', error: notFound(request, this.#options.domain) }
  }

  #ruleMatch(rule: CompiledRule, path: string): Match {
    return { kind: 'rule', rule, to: this.#destinations.get(rule.to) ?? [], path: rewritePath(rule, path) }
  }

  #pathAddress(path: string): Match {
    const [, , namespace = '', name = ''] = path.split('/', 4)
    const [fn, tag] = this.#tagged(namespace, name)
    if (fn === undefined) return { kind: 'none', error: noFunction(namespace, name) }
    const rest = path.slice(`/fn/${namespace}/${name}`.length)
    return { kind: 'function', function: fn, ...(tag === undefined ? {} : { tag }), path: rest === '' ? '/' : rest, isShared: true }
  }

  /** What a host name means, remembered: the same few come again and again. */
  #host(host: string): HostEntry {
    let entry = this.#hosts.get(host)
    if (entry === undefined) {
      entry = this.#compileHost(host)
      if (this.#hosts.size >= maxRememberedHosts) this.#hosts.clear()
      this.#hosts.set(host, entry)
    }
    return entry
  }

  #compileHost(host: string): HostEntry {
    const labels = host.endsWith(this.#suffix) ? host.slice(0, -this.#suffix.length).split('.') : []
    const [name, namespace] = labels.length === 2 ? (labels as [string, string]) : ['', '']
    const [fn, tag] = this.#tagged(namespace, name)
    const own = fn === undefined ? undefined : { function: fn, ...(tag === undefined ? {} : { tag }) }
    const wildcard = this.#wildcards.get(host.slice(host.indexOf('.') + 1))
    return {
      isLoopback: isLoopbackName(host),
      own,
      missing: labels.length === 2 && own === undefined ? noFunction(namespace, name).message : undefined,
      exact: this.#exactHosts.get(host),
      wider: wildcard === undefined ? [this.#anyHost] : [wildcard, this.#anyHost],
    }
  }

  /** Function and tag of a label such as `hello` or `canary--hello`; the tag must be one of the function's. */
  #tagged(namespace: string, label: string): [CompiledFunction | undefined, string?] {
    const at = label.lastIndexOf('--')
    if (at <= 0) return [this.function(namespace, label)]
    const fn = this.function(namespace, label.slice(at + 2))
    const tag = label.slice(0, at)
    return fn?.tagged.has(tag) ? [fn, tag] : [undefined]
  }

  #ruleSetOf(host: string): RuleSet {
    const isWildcard = host.startsWith('*.')
    const sets = isWildcard ? this.#wildcards : this.#exactHosts
    const key = isWildcard ? host.slice(2) : host
    const set = sets.get(key) ?? new RuleSet()
    sets.set(key, set)
    return set
  }

  #compileFunction(fn: RoutedFunction): CompiledFunction {
    const shares = fn.traffic.flatMap(({ revisionUid, percent }) => {
      const revision = this.#revisions.get(revisionUid)
      return revision === undefined ? [] : [{ revision, weight: percent }]
    })
    const tagged = Object.entries(fn.tags).flatMap(([tag, uid]) => {
      const revision = this.#revisions.get(uid)
      return revision === undefined ? [] : [[tag, revision] as const]
    })
    return { ...fn, shares, tagged: new Map(tagged), named: new Map() }
  }
}

const listHint = "List what there is with 'kaon get functions --all-namespaces'."

function compileDestination(to: CompiledRule['to'][number]): CompiledDestination {
  if (to.kind === 'url')
    return URL.canParse(to.url) ? { kind: 'url', weight: to.weight, url: new URL(to.url) } : { kind: 'broken', weight: to.weight }
  const { namespace, function: name, weight, revisionUid } = to
  return { kind: 'function', weight, namespace, name, ...(revisionUid === undefined ? {} : { pinnedUid: revisionUid }) }
}

function noFunction(namespace: string, name: string): KaonError {
  return new KaonError('route_not_found', `There is no function '${name}' in namespace '${namespace}'.`, { hint: listHint })
}

function notFound({ host, path }: RouteRequest, domain: string): KaonError {
  return new KaonError('route_not_found', `Nothing is served at '${path}' of '${host}'.`, {
    hint: `A function is at http://{function}.{namespace}.${domain}, on this machine also at /fn/{namespace}/{function}/, or where a Route says.`,
  })
}
