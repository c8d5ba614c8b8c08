import { resolve } from 'node:path'
import { isKaonError, KaonError } from '../../base/errors.ts'
import type { System } from '../../base/system.ts'
import type { Resource } from '../../model/metadata.ts'
import type { ApiClient } from '../api-client.ts'
import { locateErrors } from '../manifest.ts'
import type { ManifestInFile } from '../manifest-files.ts'
import { discover, functions, pathOf, type ResourceType, typeOf } from '../resource-api.ts'
import { packFile, packFolder } from '../source/archive.ts'
import { type Applied, applyResource } from './apply-resource.ts'
import { uploadSource } from './upload-source.ts'

type Context = { api: ApiClient; files: System['files']; namespace: string }

/** Applies resources of files in their order. That the server knows their kinds is asked before the first is written. */
export async function* applyManifests(context: Context, items: readonly ManifestInFile[]): AsyncGenerator<Applied> {
  const known = await discover(context.api)
  const typed = items.map((item) => ({ item, type: requireType(known, item) }))
  for (const { item, type } of typed) yield await applyOne(context, item, type)
}

function requireType(known: readonly ResourceType[], { manifest, text }: ManifestInFile): ResourceType {
  const type = typeOf(known, manifest.resource)
  if (type !== undefined) return type
  const { apiVersion, kind } = manifest.resource
  const isKind = known.some((candidate) => candidate.kind === kind)
  const field = isKind ? 'apiVersion' : 'kind'
  const message = isKind
    ? `The server has no ${kind} of '${apiVersion}'.`
    : `The server has no kind '${kind}'; it has ${[...new Set(known.map((one) => one.kind))].join(', ')}.`
  throw locateErrors(manifest, text, [{ field, message, reason: 'invalid' }], message)
}

async function applyOne(context: Context, item: ManifestInFile, type: ResourceType): Promise<Applied> {
  const { manifest, text, folder } = item
  const {
    resourceVersion: _version,
    uid: _uid,
    creationTimestamp: _time,
    generation: _generation,
    managedFields: _fields,
    ...metadata
  } = manifest.resource.metadata
  const inNamespace = type.namespaced ? { namespace: metadata.namespace ?? context.namespace } : {}
  const resource: Resource = { ...manifest.resource, metadata: { ...metadata, ...inNamespace } }
  try {
    return await applyResource(context.api, type, type.kind === functions.kind ? await withUpload(context, resource, folder) : resource)
  } catch (error) {
    if (!isKaonError(error) || error.fields === undefined) throw error
    throw locateErrors(manifest, text, error.fields, error.message)
  }
}

async function withUpload({ api, files }: Context, resource: Resource, folder: string): Promise<Resource> {
  const spec = resource.spec as { source?: { path?: unknown } } | undefined
  if (typeof spec?.source?.path !== 'string') return resource
  const path = resolve(folder, spec.source.path)
  const stat = await files.stat(path).catch(() => undefined)
  if (stat === undefined)
    throw new KaonError(
      'source_missing',
      `There is no file or folder '${spec.source.path}', which ${resource.kind} '${resource.metadata.name}' names as its source.`,
    )
  const archive = stat.isDirectory() ? await packFolder(files, path) : await packFile(files, path)
  const upload = await uploadSource(api, pathOf(functions, resource.metadata.namespace, resource.metadata.name), archive)
  return { ...resource, spec: { ...spec, source: { upload } } }
}
