import { resolve } from 'node:path'
import { isKaonError, KaonError } from '../../base/errors.ts'
import type { Resource } from '../../model/metadata.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { applyResource } from '../deploy/apply-resource.ts'
import { uploadSource } from '../deploy/put-function.ts'
import { locateErrors } from '../manifest.ts'
import { type ManifestInFile, readManifestFiles } from '../manifest-files.ts'
import { formatData, nameOf } from '../output/print.ts'
import { discover, functions, pathOf, type ResourceType, typeOf } from '../resource-api.ts'
import { packFile, packFolder } from '../source/archive.ts'

export const apply = defineCommand({
  name: 'apply',
  description:
    'Makes resources what YAML or JSON files say: created where missing, changed where different, left alone otherwise. ' +
    "What a file no longer says is removed; what others set stays. A function's source.path is uploaded. Works like kubectl apply, on the same objects.",
  arguments: {},
  options: {
    file: {
      type: 'strings',
      short: 'f',
      value: 'FILE',
      description: 'A file, a folder, or - for standard input; may be repeated.',
      complete: 'files',
    },
  },
  examples: [
    { does: 'a file', line: 'kaon apply -f shop.yaml' },
    { does: 'a folder of them', line: 'kaon apply -f deploy/' },
    { does: 'from standard input', line: 'kaon get function hello -o yaml | kaon apply -f -' },
  ],
  async run(invocation) {
    const { options, api, terminal, settings } = invocation
    if (options.file.length === 0) throw new KaonError('usage', 'Say what to apply: --file FILE.', { hint: "See 'kaon apply --help'." })
    // All files are read before the first is applied: a broken one changes nothing.
    const items = await readManifestFiles(invocation, options.file)
    const known = await discover(api)
    const typed = items.map((item) => ({ item, type: requireType(known, item) }))
    for (const { item, type } of typed) {
      const { outcome, object } = await applyOne(invocation, item, type)
      const asData = settings.output !== undefined && !['table', 'wide', 'name'].includes(settings.output.kind)
      if (asData) terminal.out(await formatData(settings.output!, object))
      else
        terminal.out(
          `${nameOf({ ...type, apiVersion: item.manifest.resource.apiVersion, metadata: object.metadata as { name: string } })}${settings.output?.kind === 'name' ? '' : ` ${outcome}`}\n`,
        )
    }
    return 0
  },
})

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

async function applyOne(context: CommandContext, item: ManifestInFile, type: ResourceType) {
  const { manifest, text, folder } = item
  const {
    resourceVersion: _version,
    uid: _uid,
    creationTimestamp: _time,
    generation: _generation,
    managedFields: _fields,
    ...metadata
  } = manifest.resource.metadata
  const inNamespace = type.namespaced ? { namespace: metadata.namespace ?? context.settings.namespace } : {}
  const resource: Resource = { ...manifest.resource, metadata: { ...metadata, ...inNamespace } }
  try {
    return await applyResource(context.api, type, type.kind === functions.kind ? await withUpload(context, resource, folder) : resource)
  } catch (error) {
    if (!isKaonError(error) || error.fields === undefined) throw error
    throw locateErrors(manifest, text, error.fields, error.message)
  }
}

async function withUpload({ api, system }: CommandContext, resource: Resource, folder: string): Promise<Resource> {
  const spec = resource.spec as { source?: { path?: unknown } } | undefined
  if (typeof spec?.source?.path !== 'string') return resource
  const path = resolve(folder, spec.source.path)
  const stat = await system.files.stat(path).catch(() => undefined)
  if (stat === undefined)
    throw new KaonError(
      'source_missing',
      `There is no file or folder '${spec.source.path}', which ${resource.kind} '${resource.metadata.name}' names as its source.`,
    )
  const archive = stat.isDirectory() ? await packFolder(system.files, path) : await packFile(system.files, path)
  const upload = await uploadSource(api, pathOf(functions, resource.metadata.namespace, resource.metadata.name), archive)
  return { ...resource, spec: { ...spec, source: { upload } } }
}
