import http from 'node:http'

export type Answer = {
  status: number
  headers: http.IncomingHttpHeaders
  body: Buffer
  text: string
  json<T = Record<string, unknown>>(): T
}
export type Call = { method?: string; headers?: Record<string, string>; body?: string | Uint8Array; agent?: http.Agent; timeoutMs?: number }

/** One HTTP call to an address of this machine. `*.localhost` names go to 127.0.0.1 with the name as Host, whatever the resolver says. */
export function call(url: string, { method, headers = {}, body, agent, timeoutMs = 30_000 }: Call = {}): Promise<Answer> {
  const { hostname, port, pathname, search } = new URL(url)
  const host = hostname.endsWith('.localhost') ? '127.0.0.1' : hostname
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host,
        port,
        path: pathname + search,
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: { host: `${hostname}:${port}`, ...headers },
        agent,
        timeout: timeoutMs,
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk) => chunks.push(chunk))
        response.on('error', reject)
        response.on('aborted', () => reject(new Error('the answer broke off')))
        response.on('end', () => {
          const all = Buffer.concat(chunks)
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: all,
            text: all.toString(),
            json: () => JSON.parse(all.toString()),
          })
        })
      },
    )
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    request.on('error', reject)
    request.end(body)
  })
}
