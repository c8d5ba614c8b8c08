import type { FunctionResource } from '../../model/function.ts'
import { formatBytes } from '../output/print.ts'
import { type AwaitReadyDeps, awaitReady } from './await-ready.ts'
import type { DeployPlan } from './plan.ts'
import { putFunction } from './put-function.ts'

export type DeployResult = { function: FunctionResource; outcome: 'created' | 'configured' | 'unchanged' }

/** Uploads, writes, and waits until it serves (unless `timeoutMs` is undefined). */
export async function deployFunction(
  deps: AwaitReadyDeps,
  plan: DeployPlan,
  options: { timeoutMs: number | undefined; signal: AbortSignal },
): Promise<DeployResult> {
  const size = plan.archive === undefined ? '' : ` (${formatBytes(plan.archive.body.length)})`
  deps.progress.step(`Deploying ${plan.name}${size}`)
  const { outcome, object } = await putFunction(deps.api, plan)
  if (options.timeoutMs === undefined) return { function: object, outcome }
  const ready = await awaitReady(deps, object, { timeoutMs: options.timeoutMs, signal: options.signal })
  return { function: ready, outcome }
}
