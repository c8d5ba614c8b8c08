import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { createApi } from '../api/api.ts'
import type { ReadinessCheck } from '../api/api-deps.ts'
import type { KaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { System } from '../base/system.ts'
import { createFolderBlobStore } from '../blobs/folder.ts'
import { createBuildLogs } from '../builder/build-log.ts'
import { createCaches } from '../controller/caches.ts'
import { type Controllers, startControllers } from '../controller/controllers.ts'
import { createEvents } from '../controller/events.ts'
import { routingTable } from '../controller/routing.ts'
import { RoutingPublisher } from '../controller/routing-publisher.ts'
import { createLocalPlatform } from '../platforms/local/local.ts'
import { adminSocket, logFolder } from '../platforms/local/local-paths.ts'
import { openSqliteStore } from '../stores/sqlite.ts'
import { startApiServer } from './api-server.ts'
import { bundleProcessor } from './bundle-processor.ts'
import { isLoopback, type PlatformConfig } from './config.ts'
import { startControlServer } from './control-server.ts'
import { placesOf } from './data-folder.ts'
import { createFunctionMetrics } from './function-metrics.ts'
import { createInvoke } from './invoke.ts'
import { createLazyBuilder } from './lazy-builder.ts'
import { createPlatformMetrics } from './platform-metrics.ts'

export type ControlPlaneOptions = {
  config: PlatformConfig
  version: string
  /** The file of the store's thread, where it was bundled. */
  storeThread?: URL
  /** What of the environment builds may see. */
  buildEnvironment: Readonly<Record<string, string>>
  /** Where functions are reached, as people write it. */
  gatewayUrl: string
  /** The store is gone for good: the process should end and be started anew. */
  onStoreLost(error: KaonError): void
}

export type ControlPlane = { apiPort: number; stop(options: { stopReplicas: boolean }): Promise<void> }

/** Everything of the control plane, wired together. */
export async function startControlPlane(options: ControlPlaneOptions, system: System, log: Log): Promise<ControlPlane> {
  const { config, gatewayUrl, storeThread } = options
  const { clock, random, files, network, processes } = system
  const places = placesOf(config)
  const [store, processor, salt, gatewayToken] = await Promise.all([
    openSqliteStore({
      file: places.store,
      clock,
      onLost: options.onStoreLost,
      ...(storeThread === undefined ? {} : { thread: storeThread }),
    }),
    bundleProcessor({ cacheFolder: join(places.cache, 'processor'), files }),
    files.readFile(places.salt),
    files.readFile(places.gatewayToken, 'utf8'),
  ])
  const folders = { dataFolder: config.dataFolder, runFolder: config.runFolder }
  const { controlSocket, gatewaySocket } = places
  const platform = await createLocalPlatform({
    clock,
    files,
    processes,
    random,
    ...folders,
    log,
    processor,
    controlSocket,
    poolSize: config.poolSize,
  })
  const blobs = createFolderBlobStore({ folder: places.blobs, files, clock, random })
  const buildLogs = createBuildLogs({ folder: places.builds, files, clock })
  const builder = createLazyBuilder({ system, blobs, log, environment: options.buildEnvironment, places })
  const metrics = createPlatformMetrics(clock)

  const caches = createCaches({ store, clock, random, log })
  const routing = new RoutingPublisher({
    clock,
    compute: () => {
      const [functions, revisions, routes] = [caches.functions.list(), caches.revisions.list(), caches.routes.list()]
      return routingTable({ functions, revisions, routes, replicas: platform.replicas(), keyDigests: keyDigestsOf(caches) })
    },
  })
  const gatewayTokenDigest = createHash('sha256').update(gatewayToken.trim()).digest()
  const controlServer = await startControlServer({
    clock,
    network,
    files,
    socketPath: controlSocket,
    gatewayTokenDigest,
    platform,
    routing,
    log,
  })
  const events = createEvents({ store, clock, random, log })
  const urlOf = (namespace: string, name: string) => functionUrl(gatewayUrl, config.domain, namespace, name)
  const logFolderOf = (namespace: string, name: string) => logFolder(config.dataFolder, namespace, name)
  const controllers = startControllers(
    {
      store,
      caches,
      platform,
      builder,
      buildLogs,
      blobs,
      clock,
      random,
      log,
      events,
      salt,
      urlOf,
      places: { gatewaySocket, logFolderOf },
      observe: metrics.observeReconcile,
    },
    routing,
  )

  const api = createApi({
    store,
    blobs,
    clock,
    random,
    log: log.with({ part: 'api' }),
    logs: (query) => platform.logs(query),
    buildLogs,
    invoke: createInvoke({ network, gatewaySocket, stripsAuthorization: config.tokenDigest !== undefined }),
    metricsText: async () => metrics.text(depthsOf(controllers)),
    functionMetrics: createFunctionMetrics({ network, clock, platform, adminSocketOf: (id) => adminSocket(config.runFolder, id) }),
    readiness: () => readinessOf(routing),
    access: {
      hosts: config.allowedHosts,
      loopbackOnly: isLoopback(config.host),
      ...(config.tokenDigest === undefined ? {} : { tokenDigest: config.tokenDigest }),
    },
    info: { version: options.version, gatewayUrl },
  })
  const server = await startApiServer(
    {
      host: config.host,
      port: config.port,
      async fetch(request) {
        const startedAt = clock.monotonic()
        const response = await api.fetch(request)
        metrics.observeRequest(request.method, response.status, clock.monotonic() - startedAt)
        return response
      },
    },
    network,
  )
  return {
    apiPort: server.port,
    async stop({ stopReplicas }) {
      await server.close()
      await controllers.stop()
      await builder[Symbol.asyncDispose]()
      await platform.close({ stopReplicas })
      await controlServer[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}

/** `http://hello.default.localhost:8080`. */
export function functionUrl(gatewayUrl: string, domain: string, namespace: string, name: string): string {
  const { protocol, port } = new URL(gatewayUrl)
  return `${protocol}//${name}.${namespace}.${domain}${port === '' ? '' : `:${port}`}`
}

/** SHA-256 of each value of a secret, as the gateway compares keys. */
function keyDigestsOf({ secrets }: Pick<ReturnType<typeof createCaches>, 'secrets'>): (namespace: string, name: string) => string[] {
  return (namespace, name) =>
    Object.values(secrets.get(namespace, name)?.data ?? {})
      .map((value) => Buffer.from(value, 'base64'))
      .filter((value) => value.length > 0)
      .map((value) => createHash('sha256').update(value).digest('hex'))
}

function depthsOf({ reconcilers }: Controllers): Record<string, number> {
  return Object.fromEntries(Object.entries(reconcilers).map(([name, { depth }]) => [name, depth]))
}

function readinessOf(routing: RoutingPublisher): ReadinessCheck[] {
  const isSynced = routing.table !== undefined
  return [
    { name: 'controllers', ok: isSynced, message: isSynced ? 'The resources are read.' : 'The resources are being read.' },
    {
      name: 'gateway',
      ok: routing.hasGateway,
      message: routing.hasGateway ? 'The gateway is connected.' : 'The gateway is not connected yet.',
    },
  ]
}
