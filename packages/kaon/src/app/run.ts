import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KaonError } from '../base/errors.ts'
import type { ReplicaAssignment } from '../model/assignment.ts'
import type { LogRecord } from '../model/log-record.ts'
import { workFolder } from '../processor/replica-files.ts'
import { Supervisor } from '../processor/supervisor.ts'
import { createNodeWorkers } from '../runtimes/node/start-worker.ts'
import { bundleProcessor } from './bundle-processor.ts'
import { createSystem } from './system.ts'

export type RunOptions = Pick<ReplicaAssignment, 'function' | 'artifactFolder'> &
  Partial<
    Pick<
      ReplicaAssignment,
      'namespace' | 'revision' | 'env' | 'secrets' | 'files' | 'isolation' | 'concurrency' | 'timeoutMs' | 'memoryBytes' | 'logLevel'
    >
  > & {
    host: string
    /** 0 takes a free one. */
    port: number
    /** Where bundles of the worker's code are kept between runs. */
    cacheFolder: string
    /** Each line of the function's log. */
    onLog(record: LogRecord): void
  }

export type RunningFunction = {
  port: number
  /** Finishes what is in flight, within `graceMs` (default: the function's timeout and 5 s more), and removes what the run left on disk. */
  stop(graceMs?: number): Promise<void>
  /** Rejects when the function cannot be kept running; resolves after `stop`. */
  ended: Promise<void>
}

/**
 * One function in this process, without a platform: a supervisor, and one worker with its own HTTP front.
 * The process's working directory becomes that of the function. Throws what the author must mend, and `port_in_use`.
 */
export async function runFunction(options: RunOptions): Promise<RunningFunction> {
  const system = createSystem()
  const { files } = system
  const { workerFiles } = await bundleProcessor({ cacheFolder: options.cacheFolder, files })
  const scratchFolder = await files.realpath(await files.mkdtemp(join(tmpdir(), 'kaon-run-')))
  const before = process.cwd()
  const assignment = assignmentOf(options, scratchFolder)
  const supervisor = new Supervisor({
    ...system,
    id: 'run0000000',
    runFolder: scratchFolder,
    scratchFolder,
    startWorker: createNodeWorkers({ ...system, workerFile: workerFiles }),
    memoryBytes: () => process.memoryUsage.rss(),
    capturesOutput: false,
    http: { host: options.host, port: options.port },
    openLog: async () => ({
      async append(text) {
        for (const line of text.split('\n')) if (line !== '') options.onLog(JSON.parse(line) as LogRecord)
      },
      async close() {},
    }),
  })
  const cleanUp = async () => {
    process.chdir(before)
    await files.rm(scratchFolder, { recursive: true, force: true })
  }
  const ended = supervisor.ended.then(async (end) => {
    await cleanUp()
    if (end.kind !== 'clean') throw endError(end.kind === 'fatal' ? end.message : supervisor.report.failure?.message)
  })
  ended.catch(() => undefined)
  await files.mkdir(workFolder(scratchFolder), { recursive: true, mode: 0o700 })
  process.chdir(workFolder(scratchFolder))
  const { httpPort = options.port } = await supervisor.start(assignment)
  return {
    port: httpPort,
    ended,
    async stop(graceMs = assignment.timeoutMs + 5_000) {
      await supervisor.drain(graceMs)
      await ended
    },
  }
}

function endError(message = 'The function does not run any more.'): KaonError {
  return new KaonError('start_failed', message)
}

function assignmentOf(options: RunOptions, folder: string): ReplicaAssignment {
  return {
    namespace: options.namespace ?? 'default',
    function: options.function,
    functionUid: 'run',
    revision: options.revision ?? `${options.function}-run`,
    revisionUid: 'run',
    runtime: 'node',
    artifactFolder: options.artifactFolder,
    env: options.env ?? {},
    secrets: options.secrets ?? {},
    files: options.files ?? [],
    workers: 1,
    isolation: options.isolation ?? 'thread',
    concurrency: options.concurrency ?? 100,
    timeoutMs: options.timeoutMs ?? 30_000,
    memoryBytes: options.memoryBytes ?? 128 * 2 ** 20,
    logLevel: options.logLevel ?? 'info',
    logFolder: folder,
    gatewaySocket: join(folder, 'no-gateway.sock'),
  }
}
