// What the tests of replicas share: a real platform on its own data folder, with the real control server and real processes.
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log } from '../base/log.ts'
import type { Clock } from '../base/system.ts'
import { RoutingPublisher } from '../controller/routing-publisher.ts'
import type { ReplicaAssignment } from '../model/assignment.ts'
import type { PlatformRig, WantedOptions } from '../platforms/conformance.ts'
import type { LocalPlatform } from '../platforms/local/connection.ts'
import { createLocalPlatform } from '../platforms/local/local.ts'
import type { WantedReplicas } from '../platforms/platform.ts'
import { bundleProcessor } from './bundle-processor.ts'
import { startControlServer } from './control-server.ts'
import { createSystem } from './system.ts'

const system = createSystem()
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet }

/** Where the bundles of one test process are; gone with it. */
export const testBundles = mkdtempSync(join(tmpdir(), 'kaon-bundles-'))
process.once('exit', () => rmSync(testBundles, { recursive: true, force: true }))

export type LocalRig = Omit<PlatformRig, 'platform' | 'wanted'> & {
  platform: LocalPlatform
  dataFolder: string
  runFolder: string
  wanted(options: WantedOptions & Partial<ReplicaAssignment>): WantedReplicas
  /** The control plane goes, as after kill -9, and its replicas stay. */
  leave(): Promise<void>
  /** The control plane comes (back) on the same folders. */
  come(clock?: Clock): Promise<void>
  /** What is left of replicas on disk. */
  leftovers(): Promise<string[]>
}

/** `code` is a CommonJS handler. */
export async function openLocalRig(
  code = 'exports.init = (context) => context.logger.info("started"); exports.default = () => process.pid',
  options: { silenceMs?: number } = {},
): Promise<LocalRig> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'kaon-'))
  const runFolder = join(dataFolder, 'run')
  await mkdir(runFolder, { mode: 0o700 })
  const artifactFolder = await writeArtifact(dataFolder, 'good', code)
  const brokenFolder = await writeArtifact(dataFolder, 'broken', 'exports.default = 42')
  const controlSocket = join(runFolder, 'control.sock')
  let server: AsyncDisposable | undefined
  const rig: LocalRig = {
    platform: undefined as unknown as LocalPlatform,
    dataFolder,
    runFolder,
    async come(clock = system.clock) {
      rig.platform = await createLocalPlatform({
        ...system,
        ...options,
        clock,
        dataFolder,
        runFolder,
        log: quiet,
        processor: await bundleProcessor({ cacheFolder: testBundles, files: system.files }),
        controlSocket,
      })
      const routing = new RoutingPublisher({
        clock: system.clock,
        compute: () => ({ version: '0', functions: [], revisions: [], routes: [] }),
      })
      server = await startControlServer({
        ...system,
        socketPath: controlSocket,
        gatewayTokenDigest: Buffer.alloc(32),
        platform: rig.platform,
        routing,
        log: quiet,
      })
    },
    async leave() {
      await rig.platform.close({ stopReplicas: false })
      await server?.[Symbol.asyncDispose]()
    },
    wanted(options: WantedOptions & Partial<ReplicaAssignment>) {
      const { revision, count, configVersion = '1', isBroken = false, ...overrides } = options
      const revisionUid = `uid-${revision}`
      const about = { namespace: 'default', function: 'hello', revision, revisionUid }
      const logFolder = join(dataFolder, 'logs/default/hello')
      const assignment = { ...defaults, ...about, artifactFolder: isBroken ? brokenFolder : artifactFolder, logFolder, ...overrides }
      return { ...about, count, configVersion, assign: async () => assignment as ReplicaAssignment }
    },
    async leftovers() {
      const lists = await Promise.all([runFolder, join(dataFolder, 'replicas')].map((folder) => readdir(folder)))
      return lists.flat().filter((name) => name !== 'control.sock')
    },
    async [Symbol.asyncDispose]() {
      await rig.platform.close({ stopReplicas: true })
      await server?.[Symbol.asyncDispose]()
      await rm(dataFolder, { recursive: true, force: true })
    },
  }
  await rig.come()
  return rig
}

const defaults = {
  functionUid: 'f',
  runtime: 'node',
  env: { GREETING: 'hi' },
  secrets: { 'api.key': 'open-sesame-please' },
  files: [],
  workers: 1,
  isolation: 'thread',
  concurrency: 10,
  timeoutMs: 1_000,
  memoryBytes: 64 * 2 ** 20,
  logLevel: 'info',
  gatewaySocket: '/nowhere',
} as const

async function writeArtifact(dataFolder: string, name: string, code: string): Promise<string> {
  const folder = join(dataFolder, 'artifacts', name)
  await mkdir(join(folder, 'files'), { recursive: true })
  const manifest = {
    version: 1,
    digest: 'sha256:0',
    runtime: 'node',
    entry: 'handler.js',
    format: 'commonjs',
    exportName: 'default',
    handlerFile: 'handler.ts',
    filesFolder: 'files',
  }
  await writeFile(join(folder, 'artifact.json'), JSON.stringify(manifest))
  await writeFile(join(folder, 'handler.js'), code)
  return folder
}

/** The lines that are in the function's log files now. */
export async function logText(rig: LocalRig): Promise<string> {
  const folder = join(rig.dataFolder, 'logs/default/hello')
  const names = await readdir(folder).catch(() => [] as string[])
  return (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).join('')
}
