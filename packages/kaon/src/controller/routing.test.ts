import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { FunctionResource } from '../model/function.ts'
import { type KindName, kindNamed } from '../model/kinds.ts'
import type { Stored } from '../model/metadata.ts'
import type { RevisionResource } from '../model/revision.ts'
import type { RouteResource } from '../model/route.ts'
import { prepare } from '../model/validate.ts'
import type { ObservedReplica } from '../platforms/platform.ts'
import { type RoutingInputs, routingTable } from './routing.ts'

function stored<R extends Stored>(kind: KindName, name: string, spec: object, more: object = {}): R {
  const apiVersion = 'kaon.dev/v1'
  const { spec: full } = prepare(kindNamed(kind), { apiVersion, kind, metadata: { name, namespace: 'default' }, spec })
  const metadata = {
    name,
    namespace: 'default',
    uid: `uid-${name}`,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  }
  return { apiVersion, kind, metadata: { ...metadata, labels: { 'kaon.dev/function': 'hello' } }, spec: full, ...more } as unknown as R
}

const code = { source: { inline: 'export default () => 1' } }
const fn = (traffic: object[] = []) => stored<Stored<FunctionResource>>('Function', 'hello', { ...code, traffic })
const revision = (number: number, isStarted: boolean) =>
  stored<Stored<RevisionResource>>('Revision', `hello-0000${number}`, code, {
    status: { conditions: [{ type: 'Started', status: isStarted ? 'True' : 'False', reason: 'x', message: '', lastTransitionTime: '' }] },
  })
const replica = (number: number, id: string, phase: ObservedReplica['phase'] = 'ready'): ObservedReplica => ({
  id,
  phase,
  link: `/run/l-${id}.sock`,
  revisionUid: `uid-hello-0000${number}`,
  configVersion: '1',
  restarts: 0,
})
const inputs = (more: Partial<RoutingInputs>): RoutingInputs => ({
  functions: [],
  revisions: [],
  routes: [],
  replicas: [],
  keyDigests: () => [],
  ...more,
})

test('the table names the ready replicas of the revisions that take traffic, and no others', () => {
  const table = routingTable(
    inputs({
      functions: [fn()],
      revisions: [revision(1, true), revision(2, true), revision(3, false)],
      replicas: [replica(1, 'a'), replica(2, 'b'), replica(2, 'c', 'starting'), replica(2, 'd', 'draining'), replica(3, 'e')],
    }),
  )
  assert.deepEqual(table.functions[0]?.traffic, [{ revisionUid: 'uid-hello-00002', percent: 100 }])
  assert.deepEqual(
    table.revisions.map(({ name, timeoutMs, concurrency, replicas }) => ({ name, timeoutMs, concurrency, replicas })),
    [{ name: 'hello-00002', timeoutMs: 30_000, concurrency: 100, replicas: [{ id: 'b', link: '/run/l-b.sock' }] }],
  )
})

test('the version differs when and only when the content does', () => {
  const base = { functions: [fn()], revisions: [revision(1, true), revision(2, true)], replicas: [replica(2, 'a'), replica(2, 'b')] }
  const { version } = routingTable(inputs(base))
  assert.equal(
    routingTable(inputs({ ...base, revisions: base.revisions.toReversed(), replicas: base.replicas.toReversed() })).version,
    version,
  )
  assert.notEqual(routingTable(inputs({ ...base, replicas: [replica(2, 'a')] })).version, version)
})

const withConditions = (number: number, conditions: Record<string, readonly [status: 'True' | 'False' | 'Unknown', reason: string]>) => {
  const of = revision(number, false)
  const secret = 'line 7: const token = "12345678"'
  of.status = {
    conditions: Object.entries(conditions).map(([type, [status, reason]]) => ({
      type,
      status,
      reason,
      message: secret,
      lastTransitionTime: '',
    })),
  }
  return of
}
const notReadyOf = (...revisions: Stored<RevisionResource>[]) => {
  const [routed] = routingTable(inputs({ functions: [fn()], revisions })).functions
  assert.deepEqual(routed?.traffic, [])
  return routed.notReady
}
const failedBuild = withConditions(1, {
  Built: ['False', 'BuildFailed'],
  Started: ['Unknown', 'NotBuilt'],
  Ready: ['False', 'BuildFailed'],
})

test('a function whose newest revision failed says the kind of failure, and not a word of its source or log', () => {
  assert.deepEqual(notReadyOf(failedBuild), { code: 'build_failed', message: "The build failed; see 'kaon describe function hello'." })
  for (const [reason, code] of [
    ['HandlerInvalid', 'handler_invalid'],
    ['StartFailed', 'start_failed'],
    ['MissingReference', 'start_failed'],
    ['Internal', 'start_failed'],
  ] as const) {
    const failed = withConditions(2, { Built: ['True', 'Built'], Started: ['False', reason], Ready: ['False', reason] })
    assert.equal(notReadyOf(failedBuild, failed)?.code, code)
  }
})

test('calls wait for a revision that is being made, whatever became of others', () => {
  const building = { Built: ['Unknown', 'Building'], Started: ['Unknown', 'NotBuilt'], Ready: ['Unknown', 'Building'] } as const
  const starting = { Built: ['True', 'Built'], Started: ['Unknown', 'Starting'], Ready: ['Unknown', 'Starting'] } as const
  const superseded = { Built: ['Unknown', 'Superseded'], Ready: ['Unknown', 'Superseded'] } as const
  const code = 'revision_not_ready'
  assert.equal(notReadyOf()?.code, code)
  assert.deepEqual(notReadyOf(failedBuild, withConditions(2, building)), {
    code,
    message: "Revision 'hello-00002' is being built or started.",
  })
  assert.equal(notReadyOf(failedBuild, withConditions(2, starting))?.code, code)
  assert.equal(notReadyOf(failedBuild, withConditions(2, {}))?.code, code)
  const newestFailed = withConditions(3, { Built: ['False', 'HandlerMissing'], Ready: ['False', 'HandlerMissing'] })
  assert.equal(notReadyOf(withConditions(1, starting), newestFailed)?.code, code)
  assert.equal(notReadyOf(withConditions(1, superseded), newestFailed)?.code, 'handler_missing')
})

test('only started revisions get traffic and the percentages add up to 100, whatever is asked for', () => {
  const arbitrary = fc.record({
    started: fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
    running: fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 6 }),
    percents: fc.array(
      fc.record({ revision: fc.constantFrom('latest', 'hello-00001', 'hello-00002', 'hello-00009'), percent: fc.nat(100) }),
      { maxLength: 4 },
    ),
  })
  fc.assert(
    fc.property(arbitrary, ({ started, running, percents }) => {
      const function_ = fn()
      function_.spec.traffic = percents
      const revisions = started.map((isStarted, index) => revision(index + 1, isStarted))
      const table = routingTable(
        inputs({ functions: [function_], revisions, replicas: running.map((number, index) => replica(number, `r${index}`)) }),
      )
      const { traffic, notReady } = table.functions[0] ?? { traffic: [] }
      const startedUids = revisions.filter((_, index) => started[index]).map(({ metadata }) => metadata.uid)
      for (const { revisionUid } of traffic) {
        assert.ok(startedUids.includes(revisionUid))
        assert.ok(table.revisions.some(({ uid }) => uid === revisionUid))
      }
      assert.equal(
        traffic.reduce((sum, { percent }) => sum + percent, 0),
        startedUids.length > 0 ? 100 : 0,
      )
      assert.equal(notReady === undefined, traffic.length > 0)
    }),
  )
})

test('a rule never opens by mistake: missing keys let nobody in, and a missing revision stays missing', () => {
  const route = stored<Stored<RouteResource>>('Route', 'shop', {
    rules: [
      {
        to: [{ function: 'hello', revision: 'hello-00007' }],
        auth: { apiKey: { secret: 'keys' } },
        timeout: '1m',
        cors: { origins: ['https://a.example'], maxAge: '2m' },
      },
    ],
  })
  const [rule] = routingTable(inputs({ routes: [route] })).routes[0]?.rules ?? []
  assert.deepEqual(rule?.auth, { kind: 'api-key', header: 'x-api-key', keyDigests: [] })
  assert.deepEqual(rule?.to, [{ kind: 'function', namespace: 'default', function: 'hello', weight: 1, revisionUid: 'missing:hello-00007' }])
  assert.equal(rule?.timeoutMs, 60_000)
  assert.equal(rule?.cors?.maxAgeSeconds, 120)
})
