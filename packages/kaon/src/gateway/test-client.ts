import type { IncomingMessage, Network, Socket } from '../base/system.ts'

// For tests of the gateway: plain clients of node's own, and a raw one for what those refuse to send.

export type Answered = {
  status: number
  headers: Record<string, string>
  rawHeaders: string[]
  text: string
  trailers: Record<string, string | undefined>
}

export type Asked = {
  port: number
  host?: string
  path?: string
  method?: string
  headers?: Record<string, string>
  body?: string | Buffer
  socketPath?: string
}

export function request(network: Pick<Network, 'httpRequest'>, asked: Asked): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const { port, socketPath, path = '/', method = 'GET', host = 'hello.default.localhost', headers = {}, body } = asked
    const where = socketPath === undefined ? { host: '127.0.0.1', port } : { socketPath }
    const outgoing = network.httpRequest({ ...where, path, method, headers: { host, ...headers }, agent: false }, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () => resolve(answered(incoming, Buffer.concat(chunks).toString())))
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

function answered(incoming: IncomingMessage, text: string): Answered {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(incoming.headers)) headers[name] = Array.isArray(value) ? value.join(' | ') : String(value)
  return { status: incoming.statusCode ?? 0, headers, rawHeaders: incoming.rawHeaders, text, trailers: incoming.trailers }
}

/** Sends bytes as they are and gives back all that came until the connection was closed. */
export function exchangeBytes(
  network: Pick<Network, 'connect'>,
  port: number,
  bytes: string | Buffer,
  onSocket?: (socket: Socket) => void,
): Promise<string> {
  return new Promise((resolve) => {
    const socket = network.connect(port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
    socket.on('connect', () => {
      socket.write(bytes)
      onSocket?.(socket)
    })
  })
}
