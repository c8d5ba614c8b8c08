import type { System } from '../../base/system.ts'
import type { FunctionResource } from '../../model/function.ts'
import { formatBytes, nameOf } from '../output/print.ts'
import { type AwaitReadyDeps, awaitReady } from './await-ready.ts'
import type { DeployPlan } from './plan.ts'
import { putFunction } from './put-function.ts'

export type DeployDeps = AwaitReadyDeps & { files: System['files'] }
export type DeployResult = { function: FunctionResource; outcome: 'created' | 'configured' | 'unchanged' }

/** Uploads, writes, and waits until it serves (unless `timeoutMs` is undefined). */
export async function deployFunction(
  deps: DeployDeps,
  plan: DeployPlan,
  options: { timeoutMs: number | undefined; signal: AbortSignal },
): Promise<DeployResult> {
  const size = plan.archive === undefined ? '' : ` (${formatBytes(plan.archive.body.length)})`
  deps.progress.step(`Deploying ${plan.name}${size}`)
  await applyCompanions(deps, plan)
  const { outcome, object } = await putFunction(deps.api, plan)
  if (options.timeoutMs === undefined) return { function: object, outcome }
  const ready = await awaitReady(deps, object, { timeoutMs: options.timeoutMs, signal: options.signal })
  return { function: ready, outcome }
}

async function applyCompanions({ api, files, progress }: DeployDeps, { companions = [], namespace }: DeployPlan): Promise<void> {
  if (companions.length === 0) return
  const { applyManifests } = await import('./apply-manifests.ts')
  for await (const { outcome, object } of applyManifests({ api, files, namespace }, companions))
    progress.note(`${nameOf(object)} ${outcome}`)
}
