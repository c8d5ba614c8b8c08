import type { Log } from '../base/log.ts'
import type { System } from '../base/system.ts'
import type { RoutingTable } from '../model/routing-table.ts'
import { ControlClient } from './control-client.ts'
import { Dispatcher } from './dispatcher.ts'
import { GatewayMetrics } from './gateway-metrics.ts'
import { HttpFront } from './http-front.ts'
import { defaultLimits, type GatewayLimits } from './limits.ts'
import { RequestHandler } from './request-handler.ts'
import { RequestIds } from './request-ids.ts'
import { Router } from './router.ts'
import { TableFile } from './table-file.ts'
import { TimerWheel } from './timer-wheel.ts'
import { createDraw } from './weighted-choice.ts'

export type GatewayOptions = {
  /** Where it listens; port 0 takes a free one. */
  host: string
  port: number
  /** Functions are at `{function}.{namespace}.{domain}`. */
  domain: string
  /** Serves `/fn/{namespace}/{function}/…` under every name, not only those of loopback. */
  allowPathAddress: boolean
  /** Reachable from other machines: only routes that say who may call are served. */
  beyondLoopback: boolean
  /** Its unix socket, with the same routing. */
  socket: string
  controlSocket: string
  tokenFile: string
  /** Where the last routing table is kept. */
  tableFile: string
  id: string
  /** How long calls under way may go on after `close`. */
  graceMs: number
  limits?: Partial<GatewayLimits>
}

export type GatewayDeps = Pick<System, 'clock' | 'random' | 'files' | 'network' | 'processes'> & { log: Log }

export type RunningGateway = { address: { host: string; port: number; url: string }; close(): Promise<void> }

const idleCheckMs = 15_000

/** Starts the door for requests: it serves the table it kept at once, and what the control plane says from then on. Rejects with `port_in_use`. */
export async function createGateway(options: GatewayOptions, deps: GatewayDeps): Promise<RunningGateway> {
  const { clock, random, files, network, log } = deps
  const limits = { ...defaultLimits, ...options.limits }
  const metrics = new GatewayMetrics()
  const wheel = new TimerWheel(clock)
  const draw = createDraw(random.bytes(4).readInt32BE())
  const agent = network.httpAgent({ keepAlive: true, maxSockets: 256 })
  const tableFile = new TableFile({ files, log, path: options.tableFile })
  let table: RoutingTable | undefined
  let router = new Router({ version: '', functions: [], revisions: [], routes: [] }, options)
  let control: ControlClient | undefined
  let port = options.port
  const isControlPlaneAway = () => control?.isAway ?? true
  const onWaiting = (revisionUid: string, count: number) => control?.send({ kind: 'waiting', revisionUid, count })
  const dispatcher = new Dispatcher({ clock, random, network, log, metrics, limits, draw, isControlPlaneAway, onWaiting }, router)

  const apply = (next: RoutingTable) => {
    router = new Router(next, options)
    table = next
    dispatcher.apply(next, router)
  }
  const handler = new RequestHandler({
    clock,
    wheel,
    dispatcher,
    metrics,
    limits,
    log,
    network,
    agent,
    draw,
    router: () => router,
    ids: new RequestIds(random),
    isBeyondLoopback: options.beyondLoopback,
    pageFacts: () => ({
      table,
      isControlPlaneAway: isControlPlaneAway(),
      domain: options.domain,
      port,
      renderMetrics: () => metrics.render(),
    }),
  })
  const front = new HttpFront({ clock, network, files, limits, log, handle: (exchange) => handler.handle(exchange) })

  const kept = await tableFile.load()
  try {
    if (kept !== undefined) apply(kept)
  } catch (error) {
    log.warn('The routing table on disk cannot be used; waiting for the control plane.', { error })
  }
  port = await front.listen(options.host, options.port)
  await front.listenUnix(options.socket)
  const url = `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`
  control = new ControlClient({
    clock,
    random,
    network,
    files,
    log,
    socket: options.controlSocket,
    tokenFile: options.tokenFile,
    id: options.id,
    pid: deps.processes.pid,
    address: () => url,
    tableVersion: () => table?.version ?? null,
    onTable: (next) => {
      apply(next)
      tableFile.keep(next)
    },
    onBack: () => dispatcher.tellWaiting(),
  })
  const idleCheck = clock.every(idleCheckMs, () => dispatcher.checkIdle(), { idle: true })

  return {
    address: { host: options.host, port, url },
    async close() {
      await front.close(options.graceMs)
      idleCheck.cancel()
      control?.close()
      dispatcher.close()
      agent.destroy()
      await tableFile.flushed()
      await files.rm(options.socket, { force: true })
    },
  }
}
