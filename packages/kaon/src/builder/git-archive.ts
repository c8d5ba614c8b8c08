import { join, posix } from 'node:path'
import { KaonError } from '../base/errors.ts'
import { redactCredentials } from '../base/redact-urls.ts'
import { runCommand } from '../base/run-command.ts'
import type { System } from '../base/system.ts'
import { archiveLimits } from './archive-entry.ts'
import { createTreeLimit, limitFolder } from './git-limits.ts'
import { isLoopback } from './loopback.ts'

const quotedLines = 8

export type GitDeps = Pick<System, 'processes' | 'clock' | 'files'> & { environment: Readonly<Record<string, string>> }

export type GitRequest = {
  git: { url: string; ref?: string; path?: string }
  /** A new folder for the repository. */
  repository: string
  /** The file to write the tar to. */
  archive: string
  /** What the fetched repository may take on disk; the limit of an archive when absent. */
  maxRepositoryBytes?: number
  log(line: string): void
  signal: AbortSignal
}

/** Whatever a repository, a template or the user's configuration says: no hook, no filter, no submodule, nothing in the background. */
const settings = Object.entries({
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'core.attributesFile': '/dev/null',
  'submodule.recurse': 'false',
  'fetch.recurseSubmodules': 'false',
  'gc.auto': '0',
  // A pack as it came and never loose files, so that what is on the disk is what was sent.
  'fetch.unpackLimit': '1',
  'fetch.fsckObjects': 'true',
  // Old repositories have it, and it does no harm.
  'fetch.fsck.zeroPaddedFilemode': 'ignore',
  'core.bigFileThreshold': '16m',
  'core.quotePath': 'false',
  'maintenance.auto': 'false',
  'protocol.version': '2',
  'http.lowSpeedLimit': '1000',
  'http.lowSpeedTime': '30',
  'tar.umask': '0022',
}).flatMap(([name, value]) => ['-c', `${name}=${value}`])

/** Above what the repository's own say: files are packed as they are stored, through no filter and with none left out. */
const attributes = '* -text -eol -ident -filter -working-tree-encoding -export-ignore -export-subst\n'

/**
 * One commit of a repository as a tar, and the commit's id. Files are never checked out: what git packs goes the same careful way as any archive.
 * Throws `source_missing` with what git said, without credentials, and `archive_too_large` before more than the limits is on the disk.
 */
export async function archiveCommit(request: GitRequest, deps: GitDeps): Promise<string> {
  const { git, repository, archive } = request
  const subfolder = folderWithin(git.path)
  const protocols = allowedProtocols(git.url)
  const over = new AbortController()
  const run = createGit({ ...request, signal: AbortSignal.any([request.signal, over.signal]) }, protocols, deps)
  await run(['init', '--quiet', '--bare', '--template=', '--', repository], 'made a repository')
  await deps.files.mkdir(join(repository, 'info'), { recursive: true })
  await deps.files.writeFile(join(repository, 'info', 'attributes'), attributes)
  const inRepository = ['--git-dir', repository]
  // Plain http is for this machine only, and a redirect could lead off it.
  const redirects = git.url.startsWith('http://') ? ['-c', 'http.followRedirects=false'] : []
  const fetch = ['fetch', '--quiet', '--depth=1', '--no-tags', '--no-write-commit-graph', '--', git.url, git.ref ?? 'HEAD']
  const limit = limitFolder(repository, request.maxRepositoryBytes ?? archiveLimits.packedBytes, (error) => over.abort(error), deps)
  await run([...redirects, ...inRepository, ...fetch], 'fetched').finally(() => limit.stop())
  over.signal.throwIfAborted()
  const commit = (await run([...inRepository, 'rev-parse', '--verify', '--quiet', 'FETCH_HEAD^{commit}'], 'found a commit')).trim()
  const tree = subfolder === '' ? commit : `${commit}:${subfolder}`
  const count = createTreeLimit()
  const take = (line: string) => {
    try {
      count(line)
    } catch (error) {
      over.abort(error)
    }
  }
  await run([...inRepository, 'ls-tree', '-r', '-t', '-l', '--full-tree', tree], `found the folder '${subfolder}'`, take)
  await run([...inRepository, 'archive', '--format=tar', `--output=${archive}`, tree], `found the folder '${subfolder}'`)
  return commit
}

function folderWithin(path: string | undefined): string {
  if (path === undefined) return ''
  const normal = posix.normalize(path).replace(/^\.?\/|\/$/g, '')
  if (posix.isAbsolute(path) || normal.split('/').includes('..') || normal.includes('\0') || normal.startsWith(':'))
    throw new KaonError('source_missing', `Give spec.source.git.path as a folder within the repository, not '${path}'.`)
  return normal === '.' ? '' : normal
}

/** For git's own check, which also holds for redirects and for what `url.insteadOf` makes of an address. */
function allowedProtocols(url: string): string {
  if (!url.startsWith('http://')) return 'https:ssh:file'
  if (isLoopback(new URL(url).hostname)) return 'https:ssh:file:http'
  throw new KaonError(
    'source_missing',
    `The repository was not fetched: '${redactCredentials(url)}' is plain http, which is for this machine only.`,
    {
      hint: 'Use https or ssh.',
    },
  )
}

function createGit(request: GitRequest, protocols: string, deps: GitDeps) {
  const environment = {
    ...deps.environment,
    GIT_ALLOW_PROTOCOL: protocols,
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'true',
    SSH_ASKPASS: 'true',
    GIT_SSH_COMMAND: `${deps.environment['GIT_SSH_COMMAND'] ?? 'ssh'} -oBatchMode=yes`,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_OPTIONAL_LOCKS: '0',
    LC_ALL: 'C',
  }
  return async (args: readonly string[], aim: string, take?: (line: string) => void): Promise<string> => {
    const lines: string[] = []
    const onLine = (line: string) => {
      take?.(line)
      lines.push(redactCredentials(line))
      if (lines.length > quotedLines) lines.shift()
    }
    const end = await runCommand(
      { program: 'git', args: [...settings, ...args], folder: '/', environment, signal: request.signal, onLine },
      deps,
    )
    if ('missing' in end)
      throw new KaonError('source_missing', 'git was not found, and the source cannot be fetched without it.', { hint: 'Install git.' })
    if (end.code === 0) return lines.join('\n')
    const { url, ref } = request.git
    const where = `'${redactCredentials(url)}'${ref === undefined ? '' : ` at '${ref}'`}`
    throw new KaonError('source_missing', `git has not ${aim} in ${where}: ${lines.join('\n') || `exit code ${end.code}`}`, {
      hint: 'Check the address and the ref, and that this machine may read the repository.',
    })
  }
}
