import type { TrafficTarget } from '../model/function.ts'

/** What traffic needs to know of a revision. */
export type RevisionFact = {
  name: string
  uid: string
  number: number
  /** It was built and has once had all the replicas it began with. */
  isStarted: boolean
  readyReplicas: number
}

export type TrafficShare = { revision: string; uid: string; percent: number; tag?: string; latest?: boolean }

export type Traffic = {
  /** The targets that can be served, in their order; the percentages add up to 100, or the list is empty. */
  shares: TrafficShare[]
  /** Why a target of the spec has no share or not the one it asks for. */
  problems: { reason: 'RevisionMissing' | 'RevisionNotReady'; message: string }[]
}

/**
 * Who gets which share of a function's requests. Only started revisions get any. What a target cannot take yet goes to the others in
 * proportion; when none of them can, to the revisions that had it before, and at last to the latest started one.
 */
export function resolveTraffic(
  targets: readonly TrafficTarget[],
  facts: readonly RevisionFact[],
  previous: readonly { revision: string; percent: number }[],
): Traffic {
  const latest = latestStarted(facts)
  const wanted: readonly TrafficTarget[] = targets.length > 0 ? targets : [{ revision: 'latest', percent: 100 }]
  const problems: Traffic['problems'] = []
  const found: { fact: RevisionFact; target: TrafficTarget; percent: number }[] = []
  for (const target of wanted) {
    const isLatest = target.revision === 'latest'
    const fact = isLatest ? latest : facts.find((f) => f.name === target.revision)
    if (fact?.isStarted) found.push({ fact, target, percent: target.percent ?? 0 })
    else if (!isLatest && fact === undefined)
      problems.push({ reason: 'RevisionMissing', message: `There is no revision '${target.revision}'.` })
    else if (!isLatest) problems.push({ reason: 'RevisionNotReady', message: `Revision '${target.revision}' is not ready.` })
  }
  // A target that has no replica yet waits for one while others can take its share.
  const served = found.filter(({ fact }) => fact.readyReplicas > 0)
  const carriers = sum(served) > 0 ? served : found
  const percents = sum(carriers) > 0 ? scaleTo100(carriers.map(({ percent }) => percent)) : carriers.map(() => 0)
  const shares = found.map(({ fact, target }, index): TrafficShare => {
    const percent = percents[carriers.indexOf(found[index]!)] ?? 0
    return {
      revision: fact.name,
      uid: fact.uid,
      percent,
      ...(target.tag === undefined ? {} : { tag: target.tag }),
      ...(target.revision === 'latest' ? { latest: true } : {}),
    }
  })
  if (sum(carriers) > 0) return { shares, problems }
  return { shares: [...fallback(facts, previous, latest), ...shares.filter((share) => share.tag !== undefined)], problems }
}

/** The started revision with the highest number. */
export function latestStarted(facts: readonly RevisionFact[]): RevisionFact | undefined {
  return facts
    .filter((fact) => fact.isStarted)
    .reduce<RevisionFact | undefined>((a, b) => (a === undefined || b.number > a.number ? b : a), undefined)
}

function fallback(
  facts: readonly RevisionFact[],
  previous: readonly { revision: string; percent: number }[],
  latest: RevisionFact | undefined,
): TrafficShare[] {
  const before = previous.flatMap(({ revision, percent }) => {
    const fact = facts.find((f) => f.name === revision)
    return fact?.isStarted && percent > 0 ? [{ revision, uid: fact.uid, percent }] : []
  })
  if (before.length > 0) {
    const percents = scaleTo100(before.map(({ percent }) => percent))
    return before.map((share, index) => ({ ...share, percent: percents[index] as number }))
  }
  return latest === undefined ? [] : [{ revision: latest.name, uid: latest.uid, percent: 100, latest: true }]
}

function sum(entries: readonly { percent: number }[]): number {
  return entries.reduce((total, { percent }) => total + percent, 0)
}

/** Whole percentages in the same proportion that add up to 100: what rounding leaves goes to the largest remainders. */
export function scaleTo100(weights: readonly number[]): number[] {
  const total = weights.reduce((a, b) => a + b, 0)
  const exact = weights.map((weight) => (weight * 100) / total)
  const whole = exact.map(Math.floor)
  const byRemainder = exact
    .map((value, index) => ({ index, remainder: value - Math.floor(value) }))
    .sort((a, b) => b.remainder - a.remainder)
  const left = 100 - whole.reduce((a, b) => a + b, 0)
  for (const { index } of byRemainder.slice(0, left)) whole[index] = (whole[index] as number) + 1
  return whole
}
