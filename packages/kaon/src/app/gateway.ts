import type { Log } from '../base/log.ts'
import type { System } from '../base/system.ts'
import { createGateway, type GatewayOptions, type RunningGateway } from '../gateway/gateway.ts'

/** Starts the gateway in this process, with the real world and a log. Rejects with `port_in_use`. */
export async function startGateway(options: GatewayOptions & { log: Log }, system: System): Promise<RunningGateway> {
  const { log, ...rest } = options
  const gateway = await createGateway(rest, { ...system, log })
  log.info('The gateway listens.', { url: gateway.address.url, socket: options.socket })
  return gateway
}
