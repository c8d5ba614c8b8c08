import { createAdaptorServer } from '@hono/node-server'
import { KaonError } from '../base/errors.ts'
import type { HttpServer, Network } from '../base/system.ts'

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

/** The port it then listens on. Throws `port_in_use` naming the flag that chooses another. */
export async function listen(server: HttpServer, { host, port }: { host: string; port: number }, flag: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(asPortError(error, { host, port, flag })))
    server.listen({ host, port, exclusive: true }, resolve)
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

export function asPortError(error: NodeJS.ErrnoException, { host, port, flag }: { host: string; port: number; flag: string }): Error {
  const hint = `Choose another with ${flag}, or 0 for any free one.`
  if (error.code === 'EADDRINUSE') return new KaonError('port_in_use', `Port ${port} on ${host} is in use.`, { hint, cause: error })
  if (error.code === 'EACCES')
    return new KaonError('port_in_use', `Port ${port} on ${host} may not be used by this user.`, { hint, cause: error })
  if (error.code === 'EADDRNOTAVAIL')
    return new KaonError('usage', `This machine has no address '${host}'.`, { hint: 'Give --host one of its addresses.', cause: error })
  return error
}
