import type { RoutedRule } from '../model/routing-table.ts'
import { normaliseWrittenPath } from './address.ts'
import type { RouteRequest } from './router.ts'

export type CompiledRule = RoutedRule & {
  namespace: string
  route: string
  /** The path in its one spelling; without the final slash where it is a prefix, so that of `/` it is empty. */
  matched: string
}

/** The rules of one host, in the order of the table: an exact path before prefixes, a longer prefix before a shorter one, then in order. */
export class RuleSet {
  readonly #exact = new Map<string, CompiledRule[]>()
  readonly #prefixes = new Map<string, CompiledRule[]>()
  /** The lengths that prefixes have, longest first: a path is looked up once for each, however many slashes it has. */
  #lengths: number[] | undefined

  add(namespace: string, route: string, rule: RoutedRule): void {
    const path = normaliseWrittenPath(rule.path)
    if (path === undefined) return
    const matched = rule.match === 'exact' ? path : path.replace(/\/+$/, '')
    const rules = rule.match === 'exact' ? this.#exact : this.#prefixes
    const same = rules.get(matched)
    const compiled = { ...rule, namespace, route, matched, ...(rule.headers === undefined ? {} : { headers: rule.headers.map(lowerName) }) }
    if (same === undefined) rules.set(matched, [compiled])
    else same.push(compiled)
    this.#lengths = undefined
  }

  /** The first rule that fits; with `namespace` only among those of its routes. */
  find(request: RouteRequest, namespace?: string): CompiledRule | undefined {
    const { path } = request
    this.#lengths ??= [...new Set([...this.#prefixes.keys()].map((prefix) => prefix.length))].sort((a, b) => b - a)
    const exact = this.#exact.get(path)
    const found = exact === undefined ? undefined : firstThatFits(exact, request, namespace)
    if (found !== undefined) return found
    for (const length of this.#lengths) {
      if (length > path.length || (length < path.length && path[length] !== '/')) continue
      const rules = this.#prefixes.get(length === path.length ? path : path.slice(0, length))
      const rule = rules === undefined ? undefined : firstThatFits(rules, request, namespace)
      if (rule !== undefined) return rule
    }
    return undefined
  }
}

function lowerName({ name, value }: { name: string; value: string }) {
  return { name: name.toLowerCase(), value }
}

function firstThatFits(rules: readonly CompiledRule[], request: RouteRequest, namespace: string | undefined): CompiledRule | undefined {
  for (const rule of rules) if ((namespace === undefined || rule.namespace === namespace) && fits(rule, request)) return rule
  return undefined
}

/** Everything but host and path. A preflight asks on behalf of the request to come, whose own headers it does not have. */
function fits(rule: CompiledRule, request: RouteRequest): boolean {
  if (request.preflightMethod !== undefined) {
    return rule.cors !== undefined && (rule.methods === undefined || (rule.methods as readonly string[]).includes(request.preflightMethod))
  }
  if (rule.methods !== undefined && !(rule.methods as readonly string[]).includes(request.method)) return false
  return rule.headers === undefined || rule.headers.every(({ name, value }) => hasHeader(request.headers, name, value))
}

function hasHeader(headers: readonly string[], name: string, value: string): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name && headers[i + 1] === value) return true
  return false
}

/** The path that the destination sees: `rewrite` stands where the matched prefix (or the whole exact path) stood. */
export function rewritePath(rule: CompiledRule, path: string): string {
  if (rule.rewrite === undefined) return path
  if (rule.match === 'exact') return rule.rewrite
  const rest = path.slice(rule.matched.length)
  return `${rule.rewrite.replace(/\/+$/, '')}${rest}` || '/'
}
