import assert from 'node:assert/strict'

export type Kill = { at: number; target: 'control plane' | 'gateway' | 'replica'; function?: string; pid: number }
export type Call = { function: string; from: number; to: number; outcome: 'answered' | 'failed'; detail: string }
export type Change = { object: string; value: number; resourceVersion: string }

/** An outside record of what was acknowledged and of what became of each call; it knows nothing of the platform's own metrics. */
export class Ledger {
  readonly kills: Kill[] = []
  readonly calls: Call[] = []
  readonly acknowledged: Change[] = []
  /** Values whose writing was not answered: they may be there or not. */
  readonly unknown: { object: string; value: number }[] = []

  /**
   * The kill that explains a failed call: of the gateway for a connection that was refused or broke, of a replica of its function for an answer that
   * says so; while the call was under way, or so shortly before that the part may not have been back (`healMs`). The latest that fits.
   */
  causeOf(call: Call, healMs: number): Kill | undefined {
    return this.kills.findLast((kill) => {
      if (kill.at > call.to || kill.at + healMs < call.from) return false
      const isAnswer = /^\d{3} /.test(call.detail)
      return isAnswer ? kill.target === 'replica' && kill.function === call.function : kill.target === 'gateway'
    })
  }

  /** Failed calls, each with its cause; throws for one that has none. */
  explain(healMs: number): string[] {
    const failed = this.calls.filter((call) => call.outcome === 'failed')
    const without = failed.filter((call) => this.causeOf(call, healMs) === undefined)
    assert.deepEqual(without.slice(0, 5), [], `${without.length} of ${failed.length} failed calls have no kill that explains them`)
    return failed.map((call) => {
      const kill = this.causeOf(call, healMs) as Kill
      return `${call.function}: ${call.detail} – ${kill.target}${kill.function === undefined ? '' : ` of ${kill.function}`} killed`
    })
  }

  /** What each object must at least hold: the last acknowledged value. */
  least(): Map<string, number> {
    const least = new Map<string, number>()
    for (const { object, value } of this.acknowledged) least.set(object, Math.max(value, least.get(object) ?? 0))
    return least
  }
}
