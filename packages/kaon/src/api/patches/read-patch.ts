import type { Kind } from '../../model/kinds.ts'
import { mediaType, readJson, unsupported } from '../body.ts'
import { jsonPatch } from './json-patch.ts'
import { mergePatch } from './merge-patch.ts'
import { strategicMergePatch } from './strategic-merge-patch.ts'

type Patch = (target: unknown, patch: unknown) => unknown
const patches: Readonly<Record<string, Patch>> = {
  'application/json-patch+json': jsonPatch,
  'application/merge-patch+json': mergePatch,
}
/** As on a cluster: kinds that are not Kubernetes's own have no strategic merge patch. */
const corePatches: Readonly<Record<string, Patch>> = { ...patches, 'application/strategic-merge-patch+json': strategicMergePatch }

/** The change that a PATCH request asks for, as a function of the object as it stands. */
export async function readPatch(kind: Kind, request: Request): Promise<(current: unknown) => unknown> {
  const accepted = kind.group === '' ? corePatches : patches
  const type = mediaType(request)
  const patch = Object.hasOwn(accepted, type) ? accepted[type] : undefined
  if (patch === undefined) throw unsupported(type, Object.keys(accepted))
  const change = await readJson(request)
  return (current) => patch(current, change)
}
