import type { FunctionResource, FunctionStatus } from '../model/function.ts'
import { findCondition, type Stored, setCondition } from '../model/metadata.ts'
import { type RevisionResource, revisionNumber } from '../model/revision.ts'
import type { ObservedReplica } from '../platforms/platform.ts'
import type { NextCondition } from './objects.ts'
import { factOf, isServing } from './routing.ts'
import { latestStarted, type Traffic } from './traffic.ts'

type Verdict = Pick<NextCondition, 'status' | 'reason' | 'message'>

export type FunctionFacts = {
  fn: Stored<FunctionResource>
  revisions: readonly Stored<RevisionResource>[]
  replicas: readonly ObservedReplica[]
  traffic: Traffic
  /** Whether a gateway sends requests by this very traffic. */
  isReachable: boolean
  hasGateway: boolean
  url: string
  now: string
}

/** The status of a function out of what is known of it and its revisions. */
export function functionStatus(facts: FunctionFacts): FunctionStatus {
  const { fn, revisions, replicas, traffic, url, now } = facts
  const { generation } = fn.metadata
  const created = newest(revisions)
  const ready = latestStarted(revisions.map((revision) => factOf(revision, replicas)))
  const configuration = configurationVerdict(created, traffic)
  const routes = routesVerdict(facts)
  const verdicts = { ConfigurationReady: configuration, RoutesReady: routes, Ready: worse(configuration, routes) }
  let conditions = fn.status?.conditions ?? []
  for (const [type, { status, reason, message }] of Object.entries(verdicts))
    conditions = setCondition(conditions, { type, status, reason, message, observedGeneration: generation }, now)
  const uids = new Set(revisions.map(({ metadata }) => metadata.uid))
  return {
    observedGeneration: generation,
    conditions,
    url,
    ...(created === undefined ? {} : { latestCreatedRevision: created.metadata.name }),
    ...(ready === undefined ? {} : { latestReadyRevision: ready.name }),
    traffic: traffic.shares.map(({ uid: _, ...share }) => share),
    replicas: replicas.filter((replica) => uids.has(replica.revisionUid) && isServing(replica)).length,
  }
}

export function newest(revisions: readonly Stored<RevisionResource>[]): Stored<RevisionResource> | undefined {
  return revisions.reduce<Stored<RevisionResource> | undefined>(
    (a, b) => (a === undefined || revisionNumber(b.metadata.name) > revisionNumber(a.metadata.name) ? b : a),
    undefined,
  )
}

/** As in Knative: the newest revision decides, though an older one may go on serving; the message says so. */
function configurationVerdict(created: Stored<RevisionResource> | undefined, traffic: Traffic): Verdict {
  if (created === undefined) return { status: 'Unknown', reason: 'RevisionPending', message: 'The first revision is being made.' }
  const { name } = created.metadata
  const ready = findCondition(created.status?.conditions, 'Ready')
  if (ready === undefined) return { status: 'Unknown', reason: 'RevisionPending', message: `Revision '${name}' is being made.` }
  if (ready.status === 'True') return { status: 'True', reason: 'RevisionReady', message: '' }
  const serving = traffic.shares.filter((share) => share.percent > 0 && share.revision !== name).map(({ revision }) => `'${revision}'`)
  const still = serving.length === 0 ? '' : ` Traffic still goes to ${serving.join(' and ')}.`
  const { status, reason } = ready
  if (status === 'Unknown') return { status, reason, message: `Revision '${name}': ${ready.message}${still}` }
  return { status, reason, message: `Revision '${name}' is not ready.${still} ${ready.message}` }
}

function routesVerdict({ traffic, isReachable, hasGateway }: FunctionFacts): Verdict {
  const problem = traffic.problems[0]
  if (problem !== undefined)
    return { status: 'False', reason: problem.reason, message: traffic.problems.map(({ message }) => message).join(' ') }
  if (traffic.shares.length === 0) return { status: 'Unknown', reason: 'NoReadyRevision', message: 'No revision is ready yet.' }
  if (isReachable) return { status: 'True', reason: 'RoutesReady', message: '' }
  if (!hasGateway) return { status: 'Unknown', reason: 'NoGateway', message: 'No gateway is connected.' }
  return { status: 'Unknown', reason: 'GatewayPending', message: 'The gateway is being told.' }
}

const rank = { False: 0, Unknown: 1, True: 2 }

function worse(configuration: Verdict, routes: Verdict): Verdict {
  const first = rank[configuration.status] <= rank[routes.status] ? configuration : routes
  return first.status === 'True' ? { status: 'True', reason: 'Ready', message: '' } : first
}
