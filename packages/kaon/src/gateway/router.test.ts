import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { RoutedRoute, RoutedRule, RoutingTable } from '../model/routing-table.ts'
import { type Match, type RouteRequest, Router } from './router.ts'
import { rewritePath } from './rule-set.ts'
import { chooseWeighted, createDraw } from './weighted-choice.ts'

const options = { domain: 'localhost', allowPathAddress: false }

function tableOf(routes: RoutedRoute[] = []): RoutingTable {
  const revision = (uid: string, fn: string, namespace = 'default') => ({
    uid,
    name: `${fn}-0000${uid.slice(-1)}`,
    namespace,
    function: fn,
    timeoutMs: 1000,
    concurrency: 0,
    replicas: [],
  })
  return {
    version: '1',
    functions: [
      {
        namespace: 'default',
        name: 'hello',
        uid: 'f1',
        traffic: [{ revisionUid: 'h1', percent: 100 }],
        tags: { canary: 'h2', 'a--b': 'h1' },
      },
      { namespace: 'other', name: 'hello', uid: 'f2', traffic: [{ revisionUid: 'o1', percent: 100 }], tags: {} },
    ],
    revisions: [revision('h1', 'hello'), revision('h2', 'hello'), revision('o1', 'hello', 'other')],
    routes,
  }
}

function rule(path: string, match: 'exact' | 'prefix' = 'prefix', more: Partial<RoutedRule> = {}): RoutedRule {
  return { path, match, to: [{ kind: 'function', namespace: 'default', function: 'hello', weight: 1 }], ...more }
}

function ask(host: string, path: string, more: Partial<RouteRequest> = {}): RouteRequest {
  return { host, path, method: 'GET', headers: [], ...more }
}

function told(match: Match): string {
  if (match.kind === 'function')
    return `${match.function.namespace}/${match.function.name}${match.tag ? `@${match.tag}` : ''} ${match.path}${match.isShared ? ' shared' : ''}`
  if (match.kind === 'rule') return `${match.rule.namespace}/${match.rule.route}:${match.rule.path} ${match.path}`
  return match.kind === 'own' ? `own ${match.path}` : match.error.code
}

test('a function has a host of its own, a tag of it too, and a path on loopback names only', () => {
  const router = new Router(tableOf(), options)
  const at = (host: string, path: string) => told(router.match(ask(host, path)))
  assert.equal(at('hello.default.localhost', '/x'), 'default/hello /x')
  assert.equal(at('hello.other.localhost', '/healthz'), 'other/hello /healthz')
  assert.equal(at('canary--hello.default.localhost', '/'), 'default/hello@canary /')
  assert.equal(at('a--b--hello.default.localhost', '/'), 'default/hello@a--b /')
  assert.equal(at('none--hello.default.localhost', '/'), 'route_not_found')
  assert.equal(at('missing.default.localhost', '/'), 'route_not_found')
  assert.equal(at('x.hello.default.localhost', '/'), 'route_not_found')
  assert.equal(at('127.0.0.1', '/fn/default/hello/a/b'), 'default/hello /a/b shared')
  assert.equal(at('localhost', '/fn/default/canary--hello'), 'default/hello@canary / shared')
  assert.equal(at('localhost', '/fn/default'), 'route_not_found')
  assert.equal(at('example.com', '/fn/default/hello/'), 'route_not_found')
  assert.equal(at('hello.default.localhost', '/fn/other/hello/'), 'default/hello /fn/other/hello/')
  for (const path of ['/', '/healthz', '/readyz', '/metrics']) assert.equal(at('localhost', path), `own ${path}`)
  assert.equal(at('example.com', '/metrics'), 'route_not_found')
  const wide = new Router(tableOf(), { ...options, allowPathAddress: true })
  assert.equal(told(wide.match(ask('example.com', '/fn/default/hello/'))), 'default/hello / shared')
})

test('only routes of its own namespace may stand before a function', () => {
  const hosts = ['hello.default.localhost']
  const router = new Router(
    tableOf([
      { namespace: 'other', name: 'thief', hosts, rules: [rule('/')] },
      { namespace: 'default', name: 'own', hosts, rules: [rule('/api', 'prefix', { rewrite: '/v1' })] },
      { namespace: 'other', name: 'any', hosts: [], rules: [rule('/')] },
      { namespace: 'other', name: 'wild', hosts: ['*.default.localhost'], rules: [rule('/')] },
    ]),
    options,
  )
  assert.equal(told(router.match(ask('hello.default.localhost', '/'))), 'default/hello /')
  assert.equal(told(router.match(ask('hello.default.localhost', '/api/x'))), 'default/own:/api /v1/x')
  assert.equal(told(router.match(ask('localhost', '/healthz'))), 'own /healthz')
  assert.equal(told(router.match(ask('localhost', '/x'))), 'other/any:/ /x')
})

test('a rewrite stands where the matched part stood', () => {
  const rewritten = (path: string, match: 'exact' | 'prefix', rewrite: string, given: string) => {
    const router = new Router(
      tableOf([{ namespace: 'default', name: 'r', hosts: ['a.b'], rules: [rule(path, match, { rewrite })] }]),
      options,
    )
    const found = router.match(ask('a.b', given))
    return found.kind === 'rule' ? rewritePath(found.rule, given) : found.kind
  }
  assert.equal(rewritten('/api', 'prefix', '/', '/api/x'), '/x')
  assert.equal(rewritten('/api', 'prefix', '/', '/api'), '/')
  assert.equal(rewritten('/api/', 'prefix', '/v1/', '/api/x'), '/v1/x')
  assert.equal(rewritten('/api', 'prefix', '/v1', '/api'), '/v1')
  assert.equal(rewritten('/', 'prefix', '/v1', '/x'), '/v1/x')
  assert.equal(rewritten('/', 'prefix', '/v1', '/'), '/v1/')
  assert.equal(rewritten('/a', 'exact', '/b/c', '/a'), '/b/c')
  assert.equal(rewritten('/api', 'prefix', '/v1', '/apix'), 'none')
})

test('a preflight is matched by the method it asks for, and only where there is CORS', () => {
  const cors = { origins: ['*'], methods: ['PUT'], headers: [], exposeHeaders: [], credentials: false, maxAgeSeconds: 1 }
  const headers = [{ name: 'X-Kind', value: 'a' }]
  const rules = [rule('/a', 'prefix', { methods: ['PUT'], cors, headers }), rule('/')]
  const router = new Router(tableOf([{ namespace: 'default', name: 'r', hosts: ['a.b'], rules }]), options)
  const preflight = (path: string, preflightMethod: string) => told(router.match(ask('a.b', path, { method: 'OPTIONS', preflightMethod })))
  assert.equal(preflight('/a', 'PUT'), 'default/r:/a /a')
  assert.equal(preflight('/a', 'GET'), 'route_not_found')
  assert.equal(told(router.match(ask('a.b', '/a', { method: 'PUT', headers: ['x-kind', 'a'] }))), 'default/r:/a /a')
  assert.equal(told(router.match(ask('a.b', '/a', { method: 'PUT', headers: ['x-kind', 'b'] }))), 'default/r:/ /a')
})

/** All rules that fit, the best first, by the words of the schema and nothing clever. */
function naive(routes: RoutedRoute[], request: RouteRequest): RoutedRule | undefined {
  const hostRank = (hosts: string[]) => {
    const parent = request.host.split('.').slice(1).join('.')
    if (hosts.includes(request.host)) return 0
    if (hosts.includes(`*.${parent}`)) return 1
    return hosts.length === 0 ? 2 : Number.POSITIVE_INFINITY
  }
  const segments = (path: string) => path.split('/').filter((part, i, all) => part !== '' || (i > 0 && i < all.length - 1))
  const candidates = routes.flatMap((route) =>
    route.rules
      .filter(({ path, match, methods }) => {
        if (methods !== undefined && !(methods as string[]).includes(request.method)) return false
        if (match === 'exact') return path === request.path
        const [wanted, given] = [segments(path), segments(request.path)]
        return wanted.every((part, i) => part === given[i])
      })
      .map((found) => ({
        rule: found,
        host: hostRank(route.hosts),
        exact: found.match === 'exact' ? 0 : 1,
        length: segments(found.path).join('/').length,
      }))
      .filter(({ host }) => host !== Number.POSITIVE_INFINITY),
  )
  return candidates.sort((a, b) => a.host - b.host || a.exact - b.exact || b.length - a.length)[0]?.rule
}

test('any table is matched as a naive matcher does', () => {
  const path = fc
    .array(fc.constantFrom('a', 'b', 'ab'), { maxLength: 3 })
    .chain((parts) => fc.constantFrom(`/${parts.join('/')}`, `/${parts.join('/')}${parts.length ? '/' : ''}`))
  const host = fc.constantFrom('x.y.z', 'y.z', 'q.y.z', 'x')
  const rules = fc.array(
    fc.record({
      path,
      match: fc.constantFrom('exact' as const, 'prefix' as const),
      methods: fc.constantFrom<'GET'[] | undefined>(['GET'], undefined),
    }),
    { minLength: 1, maxLength: 6 },
  )
  const routes = fc.array(fc.record({ hosts: fc.uniqueArray(fc.constantFrom('x.y.z', '*.y.z', '*.z', 'y.z'), { maxLength: 2 }), rules }), {
    maxLength: 5,
  })
  fc.assert(
    fc.property(routes, host, path, fc.constantFrom('GET', 'POST'), (drawn, atHost, atPath, method) => {
      const table = drawn.map((route, i) => ({
        namespace: 'default',
        name: `r${i}`,
        hosts: route.hosts,
        rules: route.rules.map(({ methods, ...one }, k) => ({
          ...rule('/'),
          ...one,
          ...(methods ? { methods } : {}),
          timeoutMs: i * 100 + k,
        })),
      }))
      const request = ask(atHost, atPath, { method })
      const found = new Router(tableOf(table), options).match(request)
      assert.equal(found.kind === 'rule' ? found.rule.timeoutMs : undefined, naive(table, request)?.timeoutMs)
    }),
    { seed: 4, numRuns: 5000 },
  )
})

test('weights are kept, and nothing without weight is ever chosen', () => {
  const draw = createDraw(7)
  const choices = [
    { name: 'a', weight: 80 },
    { name: 'b', weight: 0 },
    { name: 'c', weight: 20 },
  ]
  const counts: Record<string, number> = {}
  for (let i = 0; i < 20_000; i++) {
    const { name } = chooseWeighted(choices, draw()) as { name: string }
    counts[name] = (counts[name] ?? 0) + 1
  }
  assert.equal(counts['b'], undefined)
  assert.ok(Math.abs((counts['c'] as number) / 20_000 - 0.2) < 0.02)
  assert.equal(chooseWeighted([{ weight: 0 }], 0), undefined)
  assert.equal(chooseWeighted([{ weight: 0 }, { weight: 0 }], 0.5), undefined)
  assert.deepEqual(chooseWeighted([{ weight: 1 }, { weight: 0 }], 0.9999999999999999), { weight: 1 })
})
