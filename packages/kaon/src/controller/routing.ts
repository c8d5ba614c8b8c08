import { createHash } from 'node:crypto'
import { durationMs } from '../base/units.ts'
import type { FunctionResource } from '../model/function.ts'
import { findCondition, type Stored } from '../model/metadata.ts'
import { functionLabel, type RevisionResource, revisionNumber } from '../model/revision.ts'
import type { RouteResource } from '../model/route.ts'
import type { RoutedFunction, RoutedRevision, RoutedRoute, RoutedRule, RoutingTable } from '../model/routing-table.ts'
import type { ObservedReplica } from '../platforms/platform.ts'
import { canonicalJson } from './canonical-json.ts'
import { notReady } from './routing-failure.ts'
import { type RevisionFact, resolveTraffic, type Traffic } from './traffic.ts'

export type RoutingInputs = {
  functions: readonly Stored<FunctionResource>[]
  revisions: readonly Stored<RevisionResource>[]
  routes: readonly Stored<RouteResource>[]
  replicas: readonly ObservedReplica[]
  /** SHA-256 of each value of a secret, hexadecimal; none when there is no such secret. */
  keyDigests(namespace: string, secret: string): string[]
}

/** Everything that a gateway needs to know. Equal inputs give an equal version. */
export function routingTable(inputs: RoutingInputs): RoutingTable {
  const replicas = Map.groupBy(inputs.replicas.filter(isServing), (replica) => replica.revisionUid)
  const byFunction = Map.groupBy(inputs.revisions, functionKeyOf)
  const routed = new Set<string>()
  const functions = sorted(inputs.functions.filter((fn) => !fn.metadata.deletionTimestamp)).map((fn): RoutedFunction => {
    const own = byFunction.get(`${fn.metadata.namespace}/${fn.metadata.name}`) ?? []
    const { shares } = functionTraffic(fn, own, inputs.replicas)
    for (const { uid } of shares) routed.add(uid)
    return routedFunction(fn, own, shares)
  })
  const routes = sorted(inputs.routes.filter((route) => !route.metadata.deletionTimestamp)).map((route) => routedRoute(route, inputs))
  for (const uid of routes.flatMap(({ rules }) => rules.flatMap(namedRevisions))) routed.add(uid)
  const served = new Set(functions.map(({ namespace, name }) => `${namespace}/${name}`))
  const revisions = sorted(inputs.revisions.filter((r) => routed.has(r.metadata.uid) && served.has(functionKeyOf(r)))).map((revision) =>
    routedRevision(revision, replicas.get(revision.metadata.uid) ?? []),
  )
  const content = { functions, revisions, routes }
  return { version: createHash('sha256').update(canonicalJson(content)).digest('hex').slice(0, 32), ...content }
}

/** The shares of one function, from its spec, its revisions and what of them runs. */
export function functionTraffic(
  fn: Stored<FunctionResource>,
  revisions: readonly Stored<RevisionResource>[],
  replicas: readonly ObservedReplica[],
): Traffic {
  return resolveTraffic(
    fn.spec.traffic,
    revisions.filter((r) => !r.metadata.deletionTimestamp).map((r) => factOf(r, replicas)),
    fn.status?.traffic ?? [],
  )
}

export function factOf(revision: Stored<RevisionResource>, replicas: readonly ObservedReplica[]): RevisionFact {
  const { name, uid } = revision.metadata
  return {
    name,
    uid,
    number: revisionNumber(name),
    isStarted: findCondition(revision.status?.conditions, 'Started')?.status === 'True',
    readyReplicas: replicas.filter((replica) => replica.revisionUid === uid && isServing(replica)).length,
  }
}

export function isServing(replica: ObservedReplica): boolean {
  return replica.phase === 'ready' && replica.link !== undefined
}

/** `namespace/name` of the function that a revision is of. */
export function functionKeyOf(revision: Stored<RevisionResource>): string {
  return `${revision.metadata.namespace}/${revision.metadata.labels?.[functionLabel] ?? ''}`
}

function routedFunction(
  fn: Stored<FunctionResource>,
  revisions: readonly Stored<RevisionResource>[],
  shares: Traffic['shares'],
): RoutedFunction {
  const { namespace = '', name, uid } = fn.metadata
  const routed = routedTraffic(shares)
  const why = routed.traffic.length > 0 ? {} : { notReady: notReady(fn, revisions) }
  return { namespace, name, uid, ...routed, ...why }
}

/** Shares as the gateway gets them: one for each revision, and the addresses by tag. */
export function routedTraffic(shares: Traffic['shares']): Pick<RoutedFunction, 'traffic' | 'tags'> {
  const percents = new Map<string, number>()
  for (const { uid, percent } of shares) if (percent > 0) percents.set(uid, (percents.get(uid) ?? 0) + percent)
  return {
    traffic: [...percents].map(([revisionUid, percent]) => ({ revisionUid, percent })),
    tags: Object.fromEntries(shares.flatMap(({ tag, uid }) => (tag === undefined ? [] : [[tag, uid]]))),
  }
}

function routedRevision(revision: Stored<RevisionResource>, replicas: readonly ObservedReplica[]): RoutedRevision {
  return {
    uid: revision.metadata.uid,
    name: revision.metadata.name,
    namespace: revision.metadata.namespace ?? '',
    function: revision.metadata.labels?.[functionLabel] ?? '',
    timeoutMs: durationMs(revision.spec.timeout),
    concurrency: revision.spec.concurrency,
    replicas: replicas.map(({ id, link }) => ({ id, link: link as string })).sort((a, b) => (a.id < b.id ? -1 : 1)),
  }
}

function routedRoute(route: Stored<RouteResource>, inputs: RoutingInputs): RoutedRoute {
  const namespace = route.metadata.namespace ?? ''
  const rules = route.spec.rules.map(
    ({ to, timeout, auth, cors, ...rule }): RoutedRule => ({
      ...rule,
      to: to.map((destination) => routedDestination(namespace, destination, inputs.revisions)),
      ...(timeout === undefined ? {} : { timeoutMs: durationMs(timeout) }),
      ...(cors === undefined ? {} : { cors: routedCors(cors) }),
      ...(auth === undefined ? {} : { auth: routedAuth(namespace, auth, inputs) }),
    }),
  )
  return { namespace, name: route.metadata.name, hosts: route.spec.hosts, rules }
}

type Rule = RouteResource['spec']['rules'][number]

function routedDestination(
  namespace: string,
  destination: Rule['to'][number],
  revisions: RoutingInputs['revisions'],
): RoutedRule['to'][number] {
  const { weight, url, revision } = destination
  if (url !== undefined) return { kind: 'url', url, weight }
  const named = revisions.find((r) => r.metadata.namespace === namespace && r.metadata.name === revision)
  // A revision that is not there stays named, so that its share is refused rather than sent to another one.
  const revisionUid = revision === undefined ? {} : { revisionUid: named?.metadata.uid ?? `missing:${revision}` }
  return { kind: 'function', namespace, function: destination.function ?? '', weight, ...revisionUid }
}

function routedCors({ maxAge, ...cors }: NonNullable<Rule['cors']>): NonNullable<RoutedRule['cors']> {
  return { ...cors, maxAgeSeconds: Math.round(durationMs(maxAge) / 1000) }
}

/** Never open by mistake: an authentication that is not understood, or a secret that is not there, lets nobody in. */
function routedAuth(namespace: string, auth: NonNullable<Rule['auth']>, inputs: RoutingInputs): NonNullable<RoutedRule['auth']> {
  if (auth.open === true && auth.apiKey === undefined) return { kind: 'open' }
  const header = auth.apiKey?.header ?? 'x-api-key'
  return { kind: 'api-key', header, keyDigests: auth.apiKey === undefined ? [] : inputs.keyDigests(namespace, auth.apiKey.secret) }
}

function namedRevisions(rule: RoutedRule): string[] {
  return rule.to.flatMap((to) => (to.kind === 'function' && to.revisionUid !== undefined ? [to.revisionUid] : []))
}

function sorted<T extends Stored>(objects: readonly T[]): T[] {
  const name = ({ metadata }: T) => `${metadata.namespace ?? ''}/${metadata.name}`
  return [...objects].sort((a, b) => (name(a) < name(b) ? -1 : 1))
}
