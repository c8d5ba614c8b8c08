import { createHash } from 'node:crypto'
import { isKaonError, KaonError } from '../base/errors.ts'
import type { System } from '../base/system.ts'
import { archiveLimits } from './archive-entry.ts'
import { isLoopback } from './loopback.ts'

const redirectLimit = 3
/** Without a byte for this long, a download has failed. */
const stallMs = 30_000

export type DownloadDeps = Pick<System, 'network' | 'clock' | 'files'>

/**
 * Downloads an archive to a new file and checks it. Every address of the way, redirects included, must be https, or http on this machine. Throws
 * `source_missing`, `archive_too_large` or `checksum_mismatch`.
 */
export async function downloadArchive(
  archive: { url: string; sha256: string },
  path: string,
  signal: AbortSignal,
  deps: DownloadDeps,
): Promise<void> {
  const stalled = new AbortController()
  const watch = () =>
    deps.clock.after(stallMs, () => stalled.abort(new KaonError('timed_out', `The download stood still for ${stallMs / 1000} s.`)))
  let timer = watch()
  const progress = () => {
    timer.cancel()
    timer = watch()
  }
  try {
    const response = await follow(archive.url, AbortSignal.any([signal, stalled.signal]), deps, progress)
    const sha256 = await save(response, path, deps, progress)
    if (sha256 !== archive.sha256)
      throw new KaonError(
        'checksum_mismatch',
        `The archive has the checksum '${sha256}', not '${archive.sha256}' as spec.source.archive.sha256 says.`,
        {
          hint: 'Check that nobody changed the archive, then put its present checksum into the spec.',
        },
      )
  } catch (error) {
    signal.throwIfAborted()
    if (isKaonError(error) || (error instanceof Error && 'syscall' in error && 'path' in error)) throw error
    const cause = (error as Error).cause as Error | undefined
    throw new KaonError(
      'source_missing',
      `'${shown(archive.url)}' could not be downloaded: ${cause?.message ?? (error as Error).message}`,
      {
        cause: error,
      },
    )
  } finally {
    timer.cancel()
  }
}

async function follow(start: string, signal: AbortSignal, { network }: DownloadDeps, progress: () => void): Promise<Response> {
  let url = checkUrl(start)
  for (let redirects = 0; ; redirects++) {
    const response = await network.fetch(url, { redirect: 'manual', signal, headers: { 'user-agent': 'kaon', accept: '*/*' } })
    progress()
    const location = response.headers.get('location')
    if (response.status < 300 || response.status > 399 || location === null) {
      if (response.ok) return response
      await response.body?.cancel()
      throw new KaonError('source_missing', `The archive could not be downloaded: '${shown(url.href)}' answered ${response.status}.`)
    }
    await response.body?.cancel()
    if (redirects === redirectLimit) throw new KaonError('source_missing', `'${shown(start)}' redirects more than ${redirectLimit} times.`)
    url = checkUrl(new URL(location, url).href)
  }
}

function checkUrl(text: string): URL {
  const url = new URL(text)
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))) return url
  throw new KaonError('source_missing', `The archive was not downloaded: '${shown(text)}' is not https, and http is for this machine only.`)
}

/** Without what may be a credential: user, password and query. */
function shown(text: string): string {
  const url = new URL(text)
  return `${url.origin}${url.pathname}`
}

async function save(response: Response, path: string, { files }: DownloadDeps, progress: () => void): Promise<string> {
  const hash = createHash('sha256')
  const handle = await files.open(path, 'wx', 0o600)
  let bytes = 0
  try {
    for await (const chunk of response.body ?? []) {
      progress()
      bytes += chunk.length
      if (bytes > archiveLimits.packedBytes)
        throw new KaonError('archive_too_large', `Archives may have ${archiveLimits.packedBytes} bytes; this has more.`)
      hash.update(chunk)
      await handle.writeFile(chunk)
    }
  } finally {
    await handle.close()
  }
  return hash.digest('hex')
}
