import type { KaonError } from '../../base/errors.ts'
import type { Resource } from '../../model/metadata.ts'
import type { ApiClient } from '../api-client.ts'
import { find, pathOf, type ResourceType } from '../resource-api.ts'
import { threeWayPatch } from './three-way-patch.ts'

export type Applied = { outcome: 'created' | 'configured' | 'unchanged'; object: Resource }

/** kubectl's own, so that both may apply the same object. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'
const attempts = 5
/** What the annotations of an object may hold together, in the server's rules and in Kubernetes's. */
const maxAnnotationBytes = 256 * 1024

/**
 * Makes an object what the file says, leaving alone what others set, as kubectl's client-side apply does.
 * `firstLook` is the object as it stands, where the caller has asked already.
 */
export async function applyResource(
  api: ApiClient,
  type: ResourceType,
  resource: Resource,
  firstLook?: Promise<Resource | undefined>,
): Promise<Applied> {
  const { namespace, name } = resource.metadata
  const path = pathOf(type, namespace, name)
  for (let attempt = 1; ; attempt++) {
    const live = await (attempt === 1 && firstLook !== undefined ? firstLook : find(api, path))
    try {
      if (live !== undefined) return await patchLive(api, path, resource, live)
      return { outcome: 'created', object: await api.json('POST', pathOf(type, namespace), withLastApplied(resource)) }
    } catch (error) {
      // Somebody else was there between the look and the write: look again.
      const { code } = error as KaonError
      if (attempt === attempts || (code !== 'conflict' && code !== 'already_exists')) throw error
    }
  }
}

async function patchLive(api: ApiClient, path: string, resource: Resource, live: Resource): Promise<Applied> {
  const desired = withLastApplied(resource)
  const last = readLastApplied(live)
  const patch = threeWayPatch(last, desired as Record<string, unknown>, live as Record<string, unknown>)
  if (Object.keys(patch).length === 0) return { outcome: 'unchanged', object: live }
  const metadata = (patch['metadata'] ?? {}) as Record<string, unknown>
  const body = { ...patch, metadata: { ...metadata, resourceVersion: live.metadata.resourceVersion } }
  const object = await api.json<Resource>('PATCH', path, body, { contentType: 'application/merge-patch+json' })
  return { outcome: object.metadata.resourceVersion === live.metadata.resourceVersion ? 'unchanged' : 'configured', object }
}

/**
 * Secrets get no note of what was applied: it would show their values. Nor does an object that would be over its limit
 * by the note alone: what the server says is then about what the author wrote.
 */
function withLastApplied(resource: Resource): Resource {
  if (resource.kind === 'Secret') return secretAsData(resource)
  const { status: _status, ...said } = resource
  const note = `${JSON.stringify(said)}\n`
  const annotations = { ...said.metadata.annotations, [lastApplied]: note }
  const bytes = Object.entries(annotations).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(value)),
    0,
  )
  const kept = bytes > maxAnnotationBytes ? { ...said.metadata.annotations } : annotations
  return { ...said, metadata: { ...said.metadata, annotations: kept } }
}

function readLastApplied(live: Resource): Record<string, unknown> {
  if (live.kind === 'Secret') return { data: live['data'] ?? {} }
  try {
    return withNote(JSON.parse(live.metadata.annotations?.[lastApplied] ?? '{}') as Record<string, unknown>)
  } catch {
    return {}
  }
}

/** A note that is not written again goes: it would tell of another time. */
function withNote(last: Record<string, unknown>): Record<string, unknown> {
  const metadata = (last['metadata'] ?? {}) as { annotations?: object }
  return { ...last, metadata: { ...metadata, annotations: { ...metadata.annotations, [lastApplied]: '' } } }
}

function secretAsData(resource: Resource): Resource {
  const { stringData, status: _status, ...rest } = resource as Resource & { stringData?: Record<string, string> }
  if (stringData === undefined) return rest
  const encoded = Object.fromEntries(Object.entries(stringData).map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')]))
  return { ...rest, data: { ...(rest['data'] as object | undefined), ...encoded } }
}
