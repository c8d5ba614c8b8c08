import { isKaonError, type KaonError } from '../../base/errors.ts'
import type { FunctionResource } from '../../model/function.ts'
import type { Resource } from '../../model/metadata.ts'
import type { ApiClient } from '../api-client.ts'
import { find, functions, pathOf } from '../resource-api.ts'
import type { Archive } from '../source/archive.ts'
import { applyResource } from './apply-resource.ts'
import type { DeployPlan, EnvironmentEntry, Spec } from './plan.ts'
import { threeWayPatch } from './three-way-patch.ts'
import { uploadSource } from './upload-source.ts'

export type PutResult = { outcome: 'created' | 'configured' | 'unchanged'; object: FunctionResource }

/** Above this it pays to ask first whether the server has the source already. */
const smallBytes = 256 * 1024
const attempts = 5

/** Uploads the source where it is new, and makes the function what the plan says. */
export async function putFunction(api: ApiClient, plan: DeployPlan): Promise<PutResult> {
  const path = pathOf(functions, plan.namespace, plan.name)
  const look = find<FunctionResource>(api, path)
  const upload = plan.archive === undefined ? undefined : uploadWhenNew(api, path, plan.archive, look)
  const [live, digest] = await Promise.all([look, upload])
  const spec = digest === undefined ? plan.spec : { ...plan.spec, source: { upload: digest } }
  return plan.written === undefined ? changeSpec(api, plan, spec, live) : applyWritten(api, plan, spec, live)
}

async function uploadWhenNew(api: ApiClient, path: string, archive: Archive, look: Promise<FunctionResource | undefined>): Promise<string> {
  if (archive.body.length > smallBytes && (await look)?.spec.source.upload === archive.digest) return archive.digest
  return uploadSource(api, path, archive)
}

async function changeSpec(api: ApiClient, plan: DeployPlan, spec: Spec, firstLive: FunctionResource | undefined): Promise<PutResult> {
  const path = pathOf(functions, plan.namespace, plan.name)
  let live = firstLive
  for (let attempt = 1; ; attempt++) {
    try {
      if (live !== undefined) return await patchSpec(api, path, { ...spec, ...mergedEnvironment(live.spec.env, plan.environment) }, live)
      const created = { ...newFunction(plan), spec: { ...spec, ...mergedEnvironment([], plan.environment) } }
      return { outcome: 'created', object: await api.json('POST', pathOf(functions, plan.namespace), created) }
    } catch (error) {
      const { code } = error as KaonError
      if (attempt === attempts || (code !== 'conflict' && code !== 'already_exists')) throw error
      live = await find<FunctionResource>(api, path)
    }
  }
}

async function patchSpec(api: ApiClient, path: string, spec: Spec, live: FunctionResource): Promise<PutResult> {
  // Another kind of source that stood there gives way to the uploaded one.
  const last = spec['source'] === undefined ? {} : { source: live.spec.source }
  const patch = threeWayPatch(last, spec, live.spec)
  if (Object.keys(patch).length === 0) return { outcome: 'unchanged', object: live }
  const body = { metadata: { resourceVersion: live.metadata.resourceVersion }, spec: patch }
  const object = await api.json<FunctionResource>('PATCH', path, body, { contentType: 'application/merge-patch+json' })
  return { outcome: 'configured', object }
}

async function applyWritten(api: ApiClient, plan: DeployPlan, spec: Spec, live: FunctionResource | undefined): Promise<PutResult> {
  const { manifest, text } = plan.written!
  const { resource } = manifest
  const metadata = { ...resource.metadata, name: plan.name, namespace: plan.namespace }
  const full = {
    ...resource,
    metadata,
    spec: { ...spec, ...mergedEnvironment((spec['env'] as EnvironmentEntry[] | undefined) ?? [], plan.environment) },
  }
  try {
    const { outcome, object } = await applyResource(api, functions, full, Promise.resolve(live as Resource | undefined))
    return { outcome, object: object as FunctionResource }
  } catch (error) {
    if (!isKaonError(error) || error.fields === undefined) throw error
    const { locateErrors } = await import('../manifest.ts')
    throw locateErrors(manifest, text, error.fields, error.message)
  }
}

function newFunction({ name, namespace }: DeployPlan): Pick<Resource, 'apiVersion' | 'kind' | 'metadata'> {
  return { apiVersion: 'kaon.dev/v1', kind: 'Function', metadata: { name, namespace } }
}

/** `env` with the flags' variables set; nothing to say when there are none. */
function mergedEnvironment(before: readonly EnvironmentEntry[], flags: readonly EnvironmentEntry[]): { env?: EnvironmentEntry[] } {
  if (flags.length === 0) return {}
  const names = new Set(flags.map(({ name }) => name))
  return { env: [...before.filter(({ name }) => !names.has(name)), ...flags] }
}
