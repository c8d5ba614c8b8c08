import { createHash } from 'node:crypto'
import { createApi } from '../api/api.ts'
import type { ReadinessCheck } from '../api/api-deps.ts'
import { errorTable, type KaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Clock, System } from '../base/system.ts'
import { type Caches, createCaches } from '../controller/caches.ts'
import { type Controllers, startControllers } from '../controller/controllers.ts'
import { createEvents } from '../controller/events.ts'
import { createDefaultNamespace } from '../controller/namespace.ts'
import { routingTable } from '../controller/routing.ts'
import { RoutingPublisher } from '../controller/routing-publisher.ts'
import { adminSocket, logFolder } from '../platforms/local/local-paths.ts'
import type { Platform } from '../platforms/platform.ts'
import { type ApiServer, startApiServer } from './api-server.ts'
import { isLoopback } from './config.ts'
import { startControlServer } from './control-server.ts'
import { placesOf } from './data-folder.ts'
import { createFunctionMetrics } from './function-metrics.ts'
import { createInvoke } from './invoke.ts'
import { createPlatformMetrics, type PlatformMetrics } from './platform-metrics.ts'
import { openPlatformState, type PlatformState, type PlatformStateOptions } from './platform-state.ts'

export type ControlPlaneOptions = PlatformStateOptions & {
  version: string
  /** Where functions are reached, as people write it. */
  gatewayUrl: string
}

export type ControlPlane = { apiPort: number; stop(options: { stopReplicas: boolean }): Promise<void> }

/** Everything of the control plane, wired together. */
export async function startControlPlane(options: ControlPlaneOptions, system: System, log: Log): Promise<ControlPlane> {
  const { config, gatewayUrl } = options
  const { clock, random } = system
  const { controlSocket, gatewaySocket } = placesOf(config)
  const state = await openPlatformState(options, system, log)
  const { store, platform, gatewayTokenDigest } = state
  const metrics = createPlatformMetrics(clock)
  const caches = createCaches({ store, clock, random, log })
  const routing = createRouting(caches, platform, clock)
  const controlServer = await startControlServer({ ...system, socketPath: controlSocket, gatewayTokenDigest, platform, routing, log })
  const controllers = startControllers(
    {
      ...state,
      caches,
      clock,
      random,
      log,
      events: createEvents({ store, clock, random, log }),
      urlOf: (namespace, name) => functionUrl(gatewayUrl, config.domain, namespace, name),
      places: { gatewaySocket, logFolderOf: (namespace, name) => logFolder(config.dataFolder, namespace, name) },
      observe: metrics.observeReconcile,
    },
    routing,
  )
  await createDefaultNamespace({ store, clock, random })
  const server = await serveApi(options, { state, routing, controllers, metrics, system, log })
  return {
    apiPort: server.port,
    async stop({ stopReplicas }) {
      await server.close()
      await controllers.stop()
      await state.builder[Symbol.asyncDispose]()
      await platform.close({ stopReplicas })
      await controlServer[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}

function createRouting(caches: Caches, platform: Pick<Platform, 'replicas'>, clock: Clock): RoutingPublisher {
  return new RoutingPublisher({
    clock,
    compute: () => {
      const [functions, revisions, routes] = [caches.functions.list(), caches.revisions.list(), caches.routes.list()]
      return routingTable({ functions, revisions, routes, replicas: platform.replicas(), keyDigests: keyDigestsOf(caches) })
    },
  })
}

type ApiParts = {
  state: PlatformState
  routing: RoutingPublisher
  controllers: Controllers
  metrics: PlatformMetrics
  system: System
  log: Log
}

function serveApi({ config, version, gatewayUrl }: ControlPlaneOptions, parts: ApiParts): Promise<ApiServer> {
  const { routing, controllers, metrics } = parts
  const { store, blobs, buildLogs, platform } = parts.state
  const { clock, random, network } = parts.system
  const { tokenDigest, allowedHosts, host, port, runFolder } = config
  const api = createApi({
    store,
    blobs,
    clock,
    random,
    log: parts.log.with({ part: 'api' }),
    logs: (query) => platform.logs(query),
    buildLogs,
    invoke: createInvoke({ network, gatewaySocket: placesOf(config).gatewaySocket, stripsAuthorization: tokenDigest !== undefined }),
    metricsText: async () => metrics.text(depthsOf(controllers)),
    functionMetrics: createFunctionMetrics({ network, clock, platform, adminSocketOf: (id) => adminSocket(runFolder, id) }),
    readiness: () => [storeReadiness(parts.state.storeRefusal()), ...readinessOf(routing)],
    access: { hosts: allowedHosts, loopbackOnly: isLoopback(host), ...(tokenDigest === undefined ? {} : { tokenDigest }) },
    info: { version, gatewayUrl },
  })
  const observed = async (request: Request) => {
    const startedAt = clock.monotonic()
    const response = await api.fetch(request)
    metrics.observeRequest(request.method, response.status, clock.monotonic() - startedAt)
    return response
  }
  return startApiServer({ host, port, fetch: observed }, network)
}

/** `http://hello.default.localhost:8080`. */
function functionUrl(gatewayUrl: string, domain: string, namespace: string, name: string): string {
  const { protocol, port } = new URL(gatewayUrl)
  return `${protocol}//${name}.${namespace}.${domain}${port === '' ? '' : `:${port}`}`
}

/** SHA-256 of each value of a secret, as the gateway compares keys. */
function keyDigestsOf({ secrets }: Pick<Caches, 'secrets'>): (namespace: string, name: string) => string[] {
  return (namespace, name) =>
    Object.values(secrets.get(namespace, name)?.data ?? {})
      .map((value) => Buffer.from(value, 'base64'))
      .filter((value) => value.length > 0)
      .map((value) => createHash('sha256').update(value).digest('hex'))
}

function depthsOf({ reconcilers }: Controllers): Record<string, number> {
  return Object.fromEntries(Object.entries(reconcilers).map(([name, { depth }]) => [name, depth]))
}

/** Health is told to anybody, so without the message: it names the file. */
export function storeReadiness(refusal: KaonError | undefined): ReadinessCheck {
  if (refusal === undefined) return { name: 'store', ok: true, message: 'The store takes writes.' }
  return { name: 'store', ok: false, message: `${refusal.code}: ${errorTable[refusal.code].title}.` }
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
