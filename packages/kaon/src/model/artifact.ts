/** What the builder makes: a folder named by its digest, never changed, with this manifest in `artifact.json`. All paths are relative to the folder. */
export type ArtifactManifest = {
  version: 1
  /** `sha256:…` of the list in `contents`, which names every file with its own checksum, and the fields below. The code cache is not part of it: V8 never makes the same one twice. */
  digest: string
  runtime: 'node'
  /** The bundled handler. */
  entry: string
  format: 'commonjs' | 'module'
  /** Export that is the handler: `default` unless `handler: file#export` says otherwise. */
  exportName: string
  /** V8 code cache of `entry`, with the Node version and flags it is good for. CommonJS only. */
  codeCache?: { file: string; node: string; digest: string }
  /** The author's file, for messages. */
  handlerFile: string
  /** Folder with the author's other files; the working directory's read-only twin. */
  filesFolder: string
}

export const artifactManifestFile = 'artifact.json'
/** A line for each file: its checksum, mode, size and path. */
export const artifactContentsFile = 'contents'
