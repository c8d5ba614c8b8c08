import { join, normalize, sep } from 'node:path'
import { KaonError } from '../base/errors.ts'
import type { Files } from '../base/system.ts'
import { type ArtifactManifest, artifactManifestFile } from '../model/artifact.ts'
import type { ReplicaAssignment } from '../model/assignment.ts'

/** The handler's working directory, below the scratch folder. */
export function workFolder(scratchFolder: string): string {
  return join(scratchFolder, 'work')
}

/** Where the files with absolute paths go; the handler knows it as `$KAON_FILES`. */
export function mountFolder(scratchFolder: string): string {
  return join(scratchFolder, 'files')
}

/** What descriptors 1 and 2 of the replica's process are. */
export function outputFile(scratchFolder: string): string {
  return join(scratchFolder, 'output')
}

/** Reads the artifact's manifest. Throws `start_failed` when the artifact is gone or broken. */
export async function readManifest(files: Pick<Files, 'readFile'>, artifactFolder: string): Promise<ArtifactManifest> {
  try {
    return JSON.parse(await files.readFile(join(artifactFolder, artifactManifestFile), 'utf8')) as ArtifactManifest
  } catch (cause) {
    throw new KaonError('start_failed', `The artifact in '${artifactFolder}' cannot be read.`, {
      cause,
      hint: 'Deploy the function again.',
    })
  }
}

/** The handler's whole environment: what the function says, and the names of the runtime contract. */
export function replicaEnvironment(assignment: ReplicaAssignment, scratchFolder: string, port?: number): Record<string, string> {
  return {
    ...assignment.env,
    ...(port === undefined || port === 0 ? {} : { PORT: String(port) }),
    K_SERVICE: assignment.function,
    K_REVISION: assignment.revision,
    K_CONFIGURATION: assignment.function,
    KAON_NAMESPACE: assignment.namespace,
    KAON_FILES: mountFolder(scratchFolder),
  }
}

type ScratchFiles = Pick<Files, 'mkdir' | 'writeFile' | 'readdir' | 'symlink' | 'lstat'>

/** Fills the scratch folder: the function's `files`, then links to the author's own files beside them. Throws `start_failed` for a path that leads out. */
export async function fillScratchFolder(
  files: ScratchFiles,
  scratchFolder: string,
  assignment: Pick<ReplicaAssignment, 'files' | 'artifactFolder'>,
  manifest: Pick<ArtifactManifest, 'filesFolder'>,
): Promise<void> {
  const work = workFolder(scratchFolder)
  const mount = mountFolder(scratchFolder)
  await Promise.all([work, mount].map((folder) => files.mkdir(folder, { recursive: true, mode: 0o700 })))
  for (const file of assignment.files) {
    const target = placeInside(file.path.startsWith('/') ? mount : work, file.path)
    await files.mkdir(join(target, '..'), { recursive: true, mode: 0o700 })
    await files.writeFile(target, Buffer.from(file.contentBase64, 'base64'), { mode: 0o600 })
  }
  if (manifest.filesFolder !== '') await linkTree(files, join(assignment.artifactFolder, manifest.filesFolder), work)
}

function placeInside(root: string, path: string): string {
  const target = normalize(join(root, path))
  const leadsOut = path.split(/[\\/]/).includes('..') || path.includes('\0') || !target.startsWith(root + sep) || target.endsWith(sep)
  if (leadsOut)
    throw new KaonError('start_failed', `The file path '${path}' leads out of the replica's folder.`, {
      hint: "Give a path without '..' in 'files'.",
    })
  return target
}

/** Links rather than copies: a start must not take longer for a function with many files. What `files` put there already wins. */
async function linkTree(files: ScratchFiles, source: string, target: string): Promise<void> {
  const entries = await files.readdir(source, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    const from = join(source, entry.name)
    const to = join(target, entry.name)
    const there = await files.lstat(to).catch(() => undefined)
    if (there === undefined) await files.symlink(from, to)
    else if (there.isDirectory() && entry.isDirectory()) await linkTree(files, from, to)
  }
}
