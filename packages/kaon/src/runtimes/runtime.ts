import type { ArtifactManifest } from '../model/artifact.ts'
import type { RevisionTemplate } from '../model/function.ts'

export type BuildLog = (line: string) => void

export type RuntimeBuild = {
  /** Folder with the author's source, unpacked; the runtime may change it. */
  sourceFolder: string
  /** Empty folder to fill with the artifact. */
  outputFolder: string
  /** Kept between builds, by content, safe for builds side by side. */
  cacheFolder: string
  spec: RevisionTemplate
  log: BuildLog
  signal: AbortSignal
}

/** How to build for a language. What the language's workers do at run time stands in the runtime's own files and speaks the worker protocol. */
export interface Runtime extends AsyncDisposable {
  readonly name: RevisionTemplate['runtime']
  /** Differs when the same source would build to something else: the build's own version, its tools and what it builds for. Part of a build's input. */
  readonly buildVersion: string
  /** File name that inline code gets. */
  readonly inlineFile: string
  /** Fills the output folder. Throws `handler_missing`, `lock_file_missing`, `dependencies_failed` or `build_failed` with what the author must mend. Same input, same output. */
  build(build: RuntimeBuild): Promise<Omit<ArtifactManifest, 'version' | 'digest'>>
}
