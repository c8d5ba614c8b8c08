import type { System } from '../base/system.ts'
import { isoTime } from '../base/time.ts'
import { bundlePlatform, platformBundleFolder } from './bundle-platform.ts'
import type { ChildStart } from './child-main.ts'
import { childEnvironment, type PlatformConfig } from './config.ts'
import { openDataFolder, placesOf, writeWhole } from './data-folder.ts'
import { KeptChild } from './kept-child.ts'
import { listen } from './listen.ts'
import { type PlatformFile, readPlatformFile, writePlatformFile } from './platform-file.ts'
import { endStragglers } from './stop-platform.ts'

export type LaunchOptions = {
  config: PlatformConfig
  version: string
  environment: Readonly<Record<string, string | undefined>>
  /** Aborted to stop the platform. */
  signal: AbortSignal
  /** A line for people: warnings of the platform. */
  show(line: string): void
  /** The platform serves. */
  onReady(platform: PlatformFile): void
}

/**
 * The platform's life: starts control plane and gateway, starts them again when they die, and stops them in order when asked. Resolves when nothing of it runs any more.
 * Throws `data_locked`, `data_read_only`, `data_full`, `data_newer`, `port_in_use` and what else keeps it from starting.
 */
export async function launch(options: LaunchOptions, system: System): Promise<void> {
  const { config, signal } = options
  const { files } = system
  const lock = await openDataFolder(config, system)
  const { platformFile, gatewayToken } = placesOf(config)
  const children: KeptChild[] = []
  try {
    await endStragglers(config, system)
    const { plan, start, entries } = await prepare(options, system)
    const record = createRecorder(options, plan, children, system)
    const environment = childEnvironment(options.environment)
    for (const name of ['gateway', 'control-plane'] as const)
      children.push(
        new KeptChild(
          { name, entry: entries[name], dataFolder: config.dataFolder, start, environment, show: options.show, onUp: record },
          system,
        ),
      )
    void record()
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.race([Promise.all(children.map((child) => child.ready)), stopped])
    await record()
    const platform = await readPlatformFile(files, config)
    if (!signal.aborted && platform !== undefined) options.onReady(platform)
    await stopped
  } finally {
    // The gateway first, so that no call finds its replica gone.
    for (const child of children) await child.stop()
    await Promise.all([platformFile, gatewayToken].map((path) => files.rm(path, { force: true })))
    lock.release()
  }
}

type Plan = Omit<PlatformFile, 'controlPlanePid' | 'controlPlaneStartTime' | 'gatewayPid' | 'gatewayStartTime'>
type Entries = Record<'gateway' | 'control-plane', string>

/** Everything that both children are told. */
async function prepare(
  { config, version, environment }: LaunchOptions,
  system: System,
): Promise<{ plan: Plan; start: ChildStart; entries: Entries }> {
  const { files, processes, random, clock } = system
  const port = await freePort(config.host, config.port, '--port', system)
  const gatewayPort = await freePort(config.gatewayHost, config.gatewayPort, '--gateway-port', system)
  await writeWhole(files, placesOf(config).gatewayToken, random.bytes(32).toString('hex'))
  // A cache that cannot be written makes the start slower, no more.
  const bundle = await bundlePlatform({ cacheFolder: platformBundleFolder(environment), files }).catch(() => undefined)
  const gatewayUrl = urlOf(config.gatewayHost, gatewayPort)
  const startTime = (await processes.startTime(processes.pid)) ?? ''
  return {
    plan: { pid: processes.pid, startTime, version, startedAt: isoTime(clock.now()), apiUrl: urlOf(config.host, port), gatewayUrl },
    start: {
      config: { ...config, port, gatewayPort },
      gatewayUrl,
      version,
      ...(bundle === undefined ? {} : { storeThread: bundle.storeThread }),
    },
    entries: { gateway: bundle?.gateway ?? entryOf('gateway'), 'control-plane': bundle?.controlPlane ?? entryOf('control-plane') },
  }
}

/** Keeps `platform.json` true, one write after the other. */
function createRecorder(
  { config, show }: LaunchOptions,
  plan: Plan,
  children: readonly KeptChild[],
  { files }: Pick<System, 'files'>,
): () => Promise<void> {
  let writing = Promise.resolve()
  return () => {
    writing = writing.then(async () => {
      const [gateway, controlPlane] = children
      const processes = {
        controlPlanePid: controlPlane?.pid,
        controlPlaneStartTime: controlPlane?.startTime,
        gatewayPid: gateway?.pid,
        gatewayStartTime: gateway?.startTime,
      }
      await writePlatformFile(files, config, { ...plan, ...processes }).catch((error: unknown) =>
        show(`kaon: platform.json could not be written: ${String(error)}`),
      )
    })
    return writing
  }
}

/** The port asked for, or a free one for 0. Throws `port_in_use`. */
async function freePort(host: string, port: number, flag: string, { network }: Pick<System, 'network'>): Promise<number> {
  const server = network.createHttpServer()
  const free = await listen(server, { host, port }, flag)
  await new Promise((resolve) => server.close(resolve))
  return free
}

function urlOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

function entryOf(name: 'gateway' | 'control-plane'): string {
  const extension = import.meta.filename.endsWith('.ts') ? 'ts' : 'js'
  return `${import.meta.dirname}/${name}-main.${extension}`
}
