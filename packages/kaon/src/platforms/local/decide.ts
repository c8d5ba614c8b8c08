/** A replica as the decision sees it. Members come in the order in which they were started. */
export type Member = {
  id: string
  /** Whether it has the configuration that is wanted now. */
  isCurrent: boolean
  isReady: boolean
  isDraining: boolean
}

/** How many replicas to start and which to drain, so that the wanted count is ready throughout a change of configuration. */
export function decide(members: readonly Member[], count: number): { start: number; drain: string[] } {
  const live = members.filter((member) => !member.isDraining)
  const current = live.filter((member) => member.isCurrent)
  const old = live.filter((member) => !member.isCurrent)
  const readyCurrent = current.filter((member) => member.isReady).length
  // The youngest go first, those that are not ready yet before any that is: they have the least to lose.
  const surplus = [...current].reverse().sort((a, b) => Number(a.isReady) - Number(b.isReady))
  const replaced = [...old].sort((a, b) => Number(a.isReady) - Number(b.isReady))
  const drain = [
    ...surplus.slice(0, Math.max(0, current.length - count)),
    ...replaced.slice(0, Math.max(0, old.length - Math.max(0, count - readyCurrent))),
  ]
  return { start: Math.max(0, count - current.length), drain: drain.map((member) => member.id) }
}
