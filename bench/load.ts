// A bounded load on loopback, in a process of its own: keep-alive connections, one request at a time on each, every status and body checked.
// Usage: node bench/load.ts '{"host":"127.0.0.1","port":8080,"path":"/","headers":{},"connections":16,"seconds":2,"body":"…","wanted":"…"}'
import net from 'node:net'

export type LoadOptions = {
  port: number
  path: string
  headers?: Record<string, string>
  connections: number
  seconds: number
  body?: string
  wanted: string
}
export type LoadResult = { requests: number; wrong: number; seconds: number; perSecond: number; p50Ms: number; p99Ms: number }

function requestBytes({ port, path, headers = {}, body }: LoadOptions): Buffer {
  const lines = Object.entries({
    host: `127.0.0.1:${port}`,
    ...headers,
    ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
  })
  return Buffer.from(
    `${body === undefined ? 'GET' : 'POST'} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body ?? ''}`,
  )
}

/** Reads one answer; undefined while it is not whole. Answers with content-length or in chunks. */
function readAnswer(text: string): { status: number; body: string } | undefined {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const head = text.slice(0, headEnd)
  const status = Number(head.slice(9, 12))
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  const rest = text.slice(headEnd + 4)
  if (length !== undefined) return rest.length < Number(length) ? undefined : { status, body: rest }
  if (status === 204) return { status, body: '' }
  if (!rest.endsWith('0\r\n\r\n')) return undefined
  let body = ''
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at)
    const size = Number.parseInt(rest.slice(at, lineEnd), 16)
    if (size === 0) return { status, body }
    body += rest.slice(lineEnd + 2, lineEnd + 2 + size)
    at = lineEnd + 4 + size
  }
}

async function load(options: LoadOptions): Promise<LoadResult> {
  const request = requestBytes(options)
  const latencies: number[] = []
  let wrong = 0
  const begin = performance.now()
  const end = begin + options.seconds * 1000
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const socket = net.connect({ host: '127.0.0.1', port: options.port, noDelay: true })
      let text = ''
      let sent = 0
      const next = () => {
        if (performance.now() >= end) {
          socket.destroy()
          return resolve()
        }
        sent = performance.now()
        socket.write(request)
      }
      socket.on('connect', next)
      socket.on('error', reject)
      socket.on('close', () => resolve())
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1')
        const answer = readAnswer(text)
        if (answer === undefined) return
        text = ''
        latencies.push(performance.now() - sent)
        if (answer.status !== 200 || answer.body !== options.wanted) wrong++
        next()
      })
    })
  await Promise.all(Array.from({ length: options.connections }, one))
  const seconds = (performance.now() - begin) / 1000
  latencies.sort((a, b) => a - b)
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
  return { requests: latencies.length, wrong, seconds, perSecond: latencies.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) }
}

if (import.meta.main) console.log(JSON.stringify(await load(JSON.parse(process.argv[2] as string))))
