import { basename, dirname, resolve } from 'node:path'
import { KaonError } from '../../base/errors.ts'
import type { System } from '../../base/system.ts'
import type { FunctionResource } from '../../model/function.ts'
import type { Manifest } from '../manifest.ts'
import type { ManifestInFile } from '../manifest-files.ts'
import { type Archive, packFile, packFolder } from '../source/archive.ts'
import { handlerMissing, inferFunction, toName } from '../source/infer.ts'

export type Spec = Record<string, unknown>
export type EnvironmentEntry = { name: string; value?: string }

/** What flags say over what is inferred or written. */
export type DeployFlags = { name?: string | undefined; spec: Spec; environment: EnvironmentEntry[] }

/** One function as it should become, and what must be uploaded for it. */
export type DeployPlan = {
  name: string
  namespace: string
  spec: Spec
  environment: EnvironmentEntry[]
  archive: Archive | undefined
  /** The resource of a file, which says all there is; without one only `spec` is changed. */
  written: { manifest: Manifest; text: string } | undefined
  /** Other resources of the file, to be applied first. */
  companions?: ManifestInFile[]
  /** Files and folders whose change makes another deploy. */
  watched: string[]
}

type Deps = Pick<System, 'files'>
type Where = { workingFolder: string; namespace: string }

/** The plan for a file or folder; a folder's `kaon.yaml` is read. Packs the source. */
export async function planPath({ files }: Deps, where: Where, path: string, flags: DeployFlags): Promise<DeployPlan> {
  const inferred = await inferFunction(files, where.workingFolder, path)
  const { source, manifestPath } = inferred
  if (manifestPath !== undefined) {
    const [plan, ...others] = await planFile({ files }, where, manifestPath, flags)
    if (plan === undefined || others.length > 0)
      throw new KaonError(
        'config_invalid',
        `'${manifestPath}' holds ${others.length + (plan === undefined ? 0 : 1)} functions; a folder's holds one.`,
        { hint: "Deploy several with 'kaon apply -f FILE'." },
      )
    return plan
  }
  const handler = flags.spec['handler'] ?? inferred.handler
  if (handler === undefined) throw handlerMissing(path)
  const name = flags.name ?? inferred.name
  if (name === '') throw new KaonError('usage', `Name the function: '${path}' gives no name.`, { hint: 'Use --name NAME.' })
  const archive = source.kind === 'file' ? await packFile(files, source.path) : await packFolder(files, source.path)
  const spec = { runtime: inferred.runtime, ...flags.spec, handler }
  return { name, namespace: where.namespace, spec, environment: flags.environment, archive, written: undefined, watched: [source.path] }
}

/** The plans for every Function of a file; what else it holds goes with the first. Throws `config_invalid` for broken YAML and a file without functions. */
export async function planFile({ files }: Deps, where: Where, file: string, flags: DeployFlags): Promise<DeployPlan[]> {
  const { parseManifests } = await import('../manifest.ts')
  const path = resolve(where.workingFolder, file)
  const text = await files.readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new KaonError('source_missing', `Cannot read '${file}': ${cause.code}.`, { cause })
  })
  const manifests = parseManifests(text, file.startsWith('/') ? path : file, { defaultName: toName(basename(dirname(path))) })
  const folder = dirname(path)
  const isFunction = ({ resource }: Manifest) => resource.kind === 'Function'
  const plans = await Promise.all(
    manifests.filter(isFunction).map((manifest) => planManifest({ files }, where, { manifest, text, folder, path }, flags)),
  )
  const [first] = plans
  if (first === undefined) throw new KaonError('config_invalid', `'${file}' holds no function.`, { hint: `Use 'kaon apply -f ${file}'.` })
  // Secrets and config maps beside the functions must be there before those start.
  first.companions = manifests.filter((manifest) => !isFunction(manifest)).map((manifest) => ({ manifest, text, folder }))
  return plans
}

type Written = { manifest: Manifest; text: string; folder: string; path: string }

async function planManifest(
  { files }: Deps,
  where: Where,
  { manifest, text, folder, path }: Written,
  flags: DeployFlags,
): Promise<DeployPlan> {
  const resource = manifest.resource as FunctionResource
  const { source, ...rest } = (resource.spec ?? {}) as { source?: { path?: string } } & Spec
  const base = {
    namespace: resource.metadata.namespace ?? where.namespace,
    name: flags.name ?? resource.metadata.name ?? '',
    environment: flags.environment,
    written: { manifest, text },
  }
  if (source !== undefined && source.path === undefined)
    return { ...base, spec: { ...rest, source, ...flags.spec }, archive: undefined, watched: [path] }
  const root = resolve(folder, source?.path ?? '.')
  const inferred = await inferFunction(files, folder, root)
  const handler = flags.spec['handler'] ?? rest['handler'] ?? inferred.handler
  if (handler === undefined) throw handlerMissing(root)
  const archive = inferred.source.kind === 'file' ? await packFile(files, root) : await packFolder(files, root)
  return { ...base, spec: { ...rest, ...flags.spec, handler }, archive, watched: root === folder ? [folder] : [path, root] }
}
