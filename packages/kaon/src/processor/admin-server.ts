import type { Files, HttpServer, Network } from '../base/system.ts'

export type AdminServerDeps = {
  network: Pick<Network, 'createHttpServer'>
  files: Pick<Files, 'rm' | 'chmod'>
  path: string
  metrics(): Promise<string>
  isReady(): boolean
}

/** `/metrics`, `/healthz` and `/readyz` of a replica, on a unix socket that the API asks. */
export async function startAdminServer(deps: AdminServerDeps): Promise<AsyncDisposable> {
  const answers: Record<string, () => Promise<{ status: number; text: string }>> = {
    '/metrics': async () => ({ status: 200, text: await deps.metrics() }),
    '/healthz': async () => ({ status: 200, text: 'ok\n' }),
    '/readyz': async () => (deps.isReady() ? { status: 200, text: 'ok\n' } : { status: 503, text: 'not ready\n' }),
  }
  const server: HttpServer = deps.network.createHttpServer((request, response) => {
    const answer = request.method === 'GET' ? answers[request.url ?? ''] : undefined
    const end = (status: number, text: string) => response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4' }).end(text)
    if (answer === undefined) end(404, 'not found\n')
    else
      answer().then(
        ({ status, text }) => end(status, text),
        () => end(500, 'failed\n'),
      )
  })
  await deps.files.rm(deps.path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(deps.path, resolve)
  })
  await deps.files.chmod(deps.path, 0o600)
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
      await deps.files.rm(deps.path, { force: true })
    },
  }
}
