// The gateway's process, started by the launcher.
import { runChild } from './child-main.ts'
import { isLoopback } from './config.ts'
import { placesOf } from './data-folder.ts'
import { startGateway } from './gateway.ts'

/** What calls under way may still take when the platform stops. */
const graceMs = 30_000

await runChild('gateway', async ({ config }, system, log) => {
  const places = placesOf(config)
  const beyondLoopback = !isLoopback(config.gatewayHost)
  const gateway = await startGateway(
    {
      host: config.gatewayHost,
      port: config.gatewayPort,
      domain: config.domain,
      allowPathAddress: false,
      beyondLoopback,
      socket: places.gatewaySocket,
      controlSocket: places.controlSocket,
      tokenFile: places.gatewayToken,
      tableFile: places.table,
      id: 'gateway',
      graceMs,
      log,
    },
    system,
  )
  return { port: Number(new URL(gateway.address.url).port), stop: () => gateway.close() }
})
