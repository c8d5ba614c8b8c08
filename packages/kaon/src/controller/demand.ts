import type { FunctionResource } from '../model/function.ts'
import type { Stored } from '../model/metadata.ts'
import { type RevisionResource, revisionNumber } from '../model/revision.ts'
import type { RouteResource } from '../model/route.ts'
import type { ObservedReplica } from '../platforms/platform.ts'
import { factOf, functionTraffic } from './routing.ts'

/** Why a revision must have replicas; `superseded` and `idle` ones have none. */
export type Demand = 'starting' | 'traffic' | 'superseded' | 'idle'

export type DemandInputs = {
  fn: Stored<FunctionResource>
  /** All revisions of the function. */
  siblings: readonly Stored<RevisionResource>[]
  /** All routes of the namespace. */
  routes: readonly Stored<RouteResource>[]
  replicas: readonly ObservedReplica[]
}

/** Whether this revision is to have replicas: it takes traffic, has an address, or is the latest and must show that it starts. */
export function demandFor(revision: Stored<RevisionResource>, inputs: DemandInputs): Demand {
  const { fn, siblings, routes, replicas } = inputs
  const { name, uid } = revision.metadata
  const isNamed = fn.spec.traffic.some((target) => target.revision === name)
  if (isNamed || functionTraffic(fn, siblings, replicas).shares.some((share) => share.uid === uid)) return 'traffic'
  const isRouted = routes.some(({ spec }) =>
    spec.rules.some(({ to }) => to.some((t) => t.function === fn.metadata.name && t.revision === name)),
  )
  if (isRouted) return 'traffic'
  const { isStarted } = factOf(revision, replicas)
  if (isStarted) return 'idle'
  return isLatest(revision, siblings) ? 'starting' : 'superseded'
}

function isLatest(revision: Stored<RevisionResource>, siblings: readonly Stored<RevisionResource>[]): boolean {
  const number = revisionNumber(revision.metadata.name)
  return siblings.every((sibling) => revisionNumber(sibling.metadata.name) <= number)
}

/** Replicas of a revision that is to have some, until the autoscaler decides. */
export function replicaCount({ initial, min, max }: FunctionResource['spec']['scale']): number {
  return Math.min(Math.max(initial, min, 1), max)
}

/** Revisions that may be removed: all but the last `kept`, those that take traffic or are named somewhere, and those that still run. */
export function collectable(inputs: DemandInputs, kept: number): Stored<RevisionResource>[] {
  const { siblings, replicas } = inputs
  const newestFirst = [...siblings].sort((a, b) => revisionNumber(b.metadata.name) - revisionNumber(a.metadata.name))
  return newestFirst.slice(kept).filter((revision) => {
    const demand = demandFor(revision, inputs)
    return (demand === 'idle' || demand === 'superseded') && !replicas.some((r) => r.revisionUid === revision.metadata.uid)
  })
}
