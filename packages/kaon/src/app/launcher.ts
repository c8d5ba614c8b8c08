import type { System } from '../base/system.ts'
import { isoTime } from '../base/time.ts'
import { listen } from './api-server.ts'
import { childEnvironment, type PlatformConfig } from './config.ts'
import { openDataFolder, placesOf, writeWhole } from './data-folder.ts'
import { KeptChild } from './kept-child.ts'
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
  const { config, version, signal } = options
  const { files, processes, random, clock } = system
  const lock = await openDataFolder(config, system)
  const places = placesOf(config)
  const children: KeptChild[] = []
  try {
    await endStragglers(config, system)
    const port = await freePort(config.host, config.port, '--port', system)
    const gatewayPort = await freePort(config.gatewayHost, config.gatewayPort, '--gateway-port', system)
    await writeWhole(files, places.gatewayToken, random.bytes(32).toString('hex'))
    const gatewayUrl = urlOf(config.gatewayHost, gatewayPort)
    const own: PlatformFile = {
      pid: processes.pid,
      startTime: (await processes.startTime(processes.pid)) ?? '',
      version,
      startedAt: isoTime(clock.now()),
      apiUrl: urlOf(config.host, port),
      gatewayUrl,
    }
    let writing = Promise.resolve()
    const record = () => {
      const [gateway, controlPlane] = children
      const content = {
        ...own,
        controlPlanePid: controlPlane?.pid,
        controlPlaneStartTime: controlPlane?.startTime,
        gatewayPid: gateway?.pid,
        gatewayStartTime: gateway?.startTime,
      }
      writing = writing
        .then(() => writePlatformFile(files, config, content))
        .catch((error: unknown) => options.show(`kaon: platform.json could not be written: ${String(error)}`))
    }
    const start = { config: { ...config, port, gatewayPort }, gatewayUrl, version }
    for (const name of ['gateway', 'control-plane'] as const)
      children.push(
        new KeptChild(
          {
            name,
            entry: entryOf(name),
            dataFolder: config.dataFolder,
            start,
            environment: childEnvironment(options.environment),
            show: options.show,
            onUp: record,
          },
          system,
        ),
      )
    record()
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.race([Promise.all(children.map((child) => child.ready)), stopped])
    await writing
    const platform = await readPlatformFile(files, config)
    if (!signal.aborted && platform !== undefined) options.onReady(platform)
    await stopped
  } finally {
    // The gateway first, so that no call finds its replica gone.
    for (const child of children) await child.stop()
    await Promise.all([places.platformFile, places.gatewayToken].map((path) => files.rm(path, { force: true })))
    lock.release()
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
