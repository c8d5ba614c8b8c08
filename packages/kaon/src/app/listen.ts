import { KaonError } from '../base/errors.ts'
import type { HttpServer } from '../base/system.ts'

/** The port it then listens on. Throws `port_in_use` naming the flag that chooses another. */
export async function listen(server: HttpServer, { host, port }: { host: string; port: number }, flag: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(asPortError(error, { host, port, flag })))
    server.listen({ host, port, exclusive: true }, resolve)
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

function asPortError(error: NodeJS.ErrnoException, { host, port, flag }: { host: string; port: number; flag: string }): Error {
  const hint = `Choose another with ${flag}, or 0 for any free one.`
  if (error.code === 'EADDRINUSE') return new KaonError('port_in_use', `Port ${port} on ${host} is in use.`, { hint, cause: error })
  if (error.code === 'EACCES')
    return new KaonError('port_in_use', `Port ${port} on ${host} may not be used by this user.`, { hint, cause: error })
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND')
    return new KaonError('usage', `This machine has no address '${host}'.`, { hint: 'Choose one of its addresses.', cause: error })
  return error
}
