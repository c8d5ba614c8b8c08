import type { ArtifactManifest } from './artifact.ts'
import type { RevisionTemplate } from './function.ts'

export type BuildRequest = {
  namespace: string
  function: string
  revision: string
  spec: RevisionTemplate
  log(line: string): void
  signal: AbortSignal
}

export type BuildResult = {
  manifest: ArtifactManifest
  artifactFolder: string /** What the source came to, as in a git commit. */
  source: string /** Whether an artifact of the same input was there already. */
  cached: boolean
}

/** Source → immutable artifact. Throws an error of the table with what the author must mend; a failed build leaves nothing behind. */
export interface Builder extends AsyncDisposable {
  build(request: BuildRequest): Promise<BuildResult>
  /** The artifact with this digest, if it is still there and whole. */
  find(digest: string): Promise<{ manifest: ArtifactManifest; artifactFolder: string } | undefined>
  /** Removes artifacts, build folders and caches that nothing in `usedDigests` needs and nobody has used for a while. */
  collect(usedDigests: ReadonlySet<string>): Promise<void>
}
