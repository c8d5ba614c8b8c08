import { lookup } from 'node:dns/promises'
import { statfs } from 'node:fs/promises'
import { availableParallelism, freemem, tmpdir, totalmem } from 'node:os'

/** What `kaon doctor` asks of the computer it runs on. */
export type Machine = {
  readonly platform: NodeJS.Platform
  readonly architecture: string
  readonly nodeVersion: string
  readonly cores: number
  readonly temporaryFolder: string
  readonly totalMemoryBytes: number
  freeMemoryBytes(): number
  /** Bytes that an ordinary user may still write where `path` is. */
  freeDiskBytes(path: string): Promise<number>
  /** The addresses behind a host name. */
  resolve(hostname: string): Promise<string[]>
  /** How many files one process may hold open; undefined when the system does not tell. */
  openFilesLimit(): number | undefined
}

export function createMachine(): Machine {
  return {
    platform: process.platform,
    architecture: process.arch,
    nodeVersion: process.versions.node,
    cores: availableParallelism(),
    temporaryFolder: tmpdir(),
    totalMemoryBytes: totalmem(),
    freeMemoryBytes: () => freemem(),
    async freeDiskBytes(path) {
      const { bavail, bsize } = await statfs(path)
      return bavail * bsize
    },
    resolve: async (hostname) => (await lookup(hostname, { all: true })).map(({ address }) => address),
    openFilesLimit,
  }
}

function openFilesLimit(): number | undefined {
  // Without this the report looks up every interface's names, which can take seconds.
  const reporter = process.report as typeof process.report & { excludeNetwork?: boolean }
  reporter.excludeNetwork = true
  const report = reporter.getReport() as { userLimits?: { open_files?: { soft?: number | string } } }
  const soft = report.userLimits?.open_files?.soft
  if (soft === undefined) return undefined
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
}
