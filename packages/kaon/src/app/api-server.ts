import { createAdaptorServer } from '@hono/node-server'
import type { HttpServer, Network } from '../base/system.ts'
import { listen } from './listen.ts'

export type ApiServerOptions = { host: string; port: number; fetch(request: Request): Response | Promise<Response> }

const limits = {
  maxHeaderSize: 32 * 1024,
  headersTimeout: 15_000,
  /** Of a whole request: uploads take their time, endless ones do not. */
  requestTimeout: 600_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5_000,
}
const maxConnections = 2_048

export type ApiServer = { port: number; close(): Promise<void> }

/** Serves the API. Throws `port_in_use`. */
export async function startApiServer(options: ApiServerOptions, network: Pick<Network, 'createHttpServer'>): Promise<ApiServer> {
  const server = createAdaptorServer({
    fetch: options.fetch,
    createServer: network.createHttpServer,
    serverOptions: limits,
    overrideGlobalObjects: false,
  }) as HttpServer
  server.maxConnections = maxConnections
  const port = await listen(server, options, '--port')
  return {
    port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeIdleConnections()
      // Watches and followed logs never end by themselves.
      server.closeAllConnections()
      await closed
    },
  }
}
