import { join } from 'node:path'
import { KaonError } from '../base/errors.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { RevisionTemplate } from '../model/function.ts'
import { type DownloadDeps, downloadArchive } from './download.ts'
import { archiveCommit, type GitDeps } from './git-archive.ts'
import { unpackArchive } from './unpack.ts'

export type SourceRequest = {
  spec: RevisionTemplate
  /** File name that inline code gets when the handler names none. */
  inlineFile: string
  /** An empty folder of this build alone. */
  workFolder: string
  log(line: string): void
  signal: AbortSignal
}

export type FetchedSource = {
  /** The folder that holds the source, within the work folder. */
  folder: string
  /** What it came to: a digest, a commit, or `inline`. */
  source: string
}

export type SourceDeps = DownloadDeps & GitDeps & { blobs: Pick<BlobStore, 'get'> }

/** Brings a function's source into the work folder. Throws `source_missing` and what else is wrong with it. */
export async function fetchSource(request: SourceRequest, deps: SourceDeps): Promise<FetchedSource> {
  const { source } = request.spec
  if (source.inline !== undefined) return writeInline(request, source.inline, deps)
  if (source.upload !== undefined) return unpackUpload(request, source.upload, deps)
  if (source.archive !== undefined) return unpackDownload(request, source.archive, deps)
  if (source.git !== undefined) return unpackCommit(request, source.git, deps)
  const isLocal = source.path !== undefined
  throw new KaonError('source_missing', isLocal ? `'${source.path}' was not uploaded.` : 'The function has no source.', {
    hint: isLocal
      ? "spec.source.path is for 'kaon deploy' and 'kaon apply', which upload it."
      : 'Give one of inline, upload, archive and git in spec.source.',
  })
}

async function writeInline({ spec, inlineFile, workFolder }: SourceRequest, code: string, { files }: SourceDeps): Promise<FetchedSource> {
  const folder = join(workFolder, 'source')
  const named = (spec.handler.split('#') as [string])[0]
  await files.mkdir(folder)
  await files.writeFile(join(folder, /^[\w-][\w.-]*$/.test(named) ? named : inlineFile), code, { flag: 'wx', mode: 0o644 })
  return { folder, source: 'inline' }
}

async function unpackUpload({ workFolder, signal }: SourceRequest, digest: string, { files, blobs }: SourceDeps): Promise<FetchedSource> {
  const content = await blobs.get(digest)
  if (content === undefined)
    throw new KaonError('source_missing', `The uploaded source '${digest}' is not there.`, { hint: "Upload it again with 'kaon deploy'." })
  const archive = join(workFolder, 'archive')
  await files.writeFile(archive, content, { flag: 'wx', mode: 0o600, signal })
  const folder = join(workFolder, 'source')
  await unpackArchive(files, archive, folder, signal)
  await files.rm(archive)
  return { folder, source: digest }
}

async function unpackDownload(
  { workFolder, signal, log }: SourceRequest,
  archive: { url: string; sha256: string },
  deps: SourceDeps,
): Promise<FetchedSource> {
  const packed = join(workFolder, 'archive')
  log('Source: downloading the archive …')
  await downloadArchive(archive, packed, signal, deps)
  const folder = join(workFolder, 'source')
  await unpackArchive(deps.files, packed, folder, signal)
  await deps.files.rm(packed)
  // Archives of a repository have all in one folder named after it.
  const entries = await deps.files.readdir(folder, { withFileTypes: true })
  const [top] = entries
  const inner = entries.length === 1 && top?.isDirectory() ? join(folder, top.name) : folder
  return { folder: inner, source: `sha256:${archive.sha256}` }
}

async function unpackCommit(
  { workFolder, signal, log }: SourceRequest,
  git: { url: string; ref?: string; path?: string },
  deps: SourceDeps,
): Promise<FetchedSource> {
  const archive = join(workFolder, 'archive')
  const repository = join(workFolder, 'repository')
  log('Source: fetching the repository …')
  const commit = await archiveCommit({ git, repository, archive, log, signal }, deps)
  const folder = join(workFolder, 'source')
  await unpackArchive(deps.files, archive, folder, signal)
  for (const path of [archive, repository]) await deps.files.rm(path, { recursive: true })
  return { folder, source: commit }
}
