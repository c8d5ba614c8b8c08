// A trivial handler called directly at its processor and through the gateway, beside a bare node:http server that gives the same answer:
// all pinned to one core, the load on the other, in alternating rounds of one run.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, TestPlatform } from '../test/e2e/harness/platform.ts'
import { until } from '../test/e2e/harness/wait.ts'
import { cores, cpuMicroseconds, pinned, processesNaming, runLoad, show, spread, table } from './measure.ts'

const rounds = 5
const seconds = 1.5
const wanted = '{"ok":true}'
const handler = 'export default () => ({ ok: true })\n'
const echoHandler = 'export default (event) => ({ headers: { "content-type": "application/json" }, body: event.body })\n'
const echoBody = JSON.stringify({ text: 'x'.repeat(1000), n: 1 })

type Target = { name: string; port: number; path: string; headers?: Record<string, string>; pids: () => number[] }

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = http.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

const answers = (port: number) =>
  new Promise<boolean>((resolve) =>
    http.get({ port, host: '127.0.0.1' }, (r) => resolve(r.resume().statusCode !== undefined)).on('error', () => resolve(false)),
  )

async function startBare(folder: string): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort()
  const file = join(folder, 'bare.cjs')
  writeFileSync(
    file,
    `require('node:http').createServer((q, s) => {
      if (q.method === 'GET') { s.writeHead(200, { 'content-type': 'application/json', 'content-length': ${wanted.length} }); s.end('${wanted}'); return }
      const parts = []; q.on('data', (c) => parts.push(c)); q.on('end', () => { const b = Buffer.concat(parts); s.writeHead(200, { 'content-type': 'application/json', 'content-length': b.length }); s.end(b) })
    }).listen(${port}, '127.0.0.1')`,
  )
  const child = spawn(...pinned(cores.server, [process.execPath, file]), { stdio: 'ignore' })
  await until('the bare server', () => answers(port))
  return { child, port }
}

async function startProcessor(folder: string, name: string, code: string): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort()
  const file = join(folder, `${name}.js`)
  writeFileSync(file, code)
  const child = spawn(
    ...pinned(cores.server, [process.execPath, join(root, 'packages/kaon/bin/kaon.js'), 'run', file, '--port', String(port)]),
    { stdio: 'ignore', env: { ...process.env, KAON_DATA: join(folder, `data-${name}`) } },
  )
  await until('kaon run', () => answers(port))
  return { child, port }
}

async function measure(targets: Target[], body: string | undefined) {
  const figures = new Map(
    targets.map((t) => [t.name, { perSecond: [] as number[], cpu: [] as number[], p99: [] as number[], ratio: [] as number[] }]),
  )
  for (const target of targets)
    await runLoad({ ...target, connections: 64, seconds: 1, wanted: body ?? wanted, ...(body === undefined ? {} : { body }) })
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? targets : [...targets].reverse()
    for (const target of order) {
      const before = cpuMicroseconds(target.pids())
      const result = await runLoad({ ...target, connections: 64, seconds, wanted: body ?? wanted, ...(body === undefined ? {} : { body }) })
      const figure = figures.get(target.name)
      figure?.perSecond.push(result.perSecond)
      figure?.p99.push(result.p99Ms)
      figure?.cpu.push((cpuMicroseconds(target.pids()) - before) / result.requests)
    }
    const base = figures.get((targets[0] as Target).name)?.perSecond[round] as number
    for (const figure of figures.values()) figure.ratio.push((figure.perSecond[round] as number) / base)
  }
  return figures
}

export async function throughput(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'kaon-bench-'))
  await using platform = await new TestPlatform().start()
  const file = join(folder, 'trivial.js')
  const echoFile = join(folder, 'echo.js')
  writeFileSync(file, handler)
  writeFileSync(echoFile, echoHandler)
  await platform.must(['deploy', file])
  await platform.must(['deploy', echoFile])
  const platformPids = () => processesNaming(platform.data).map((p) => p.pid)
  for (const pid of platformPids()) spawn('taskset', ['-a', '-p', '-c', cores.server, String(pid)], { stdio: 'ignore' })
  const bare = await startBare(folder)
  const direct = await startProcessor(folder, 'direct', handler)
  const directEcho = await startProcessor(folder, 'direct-echo', echoHandler)
  const gatewayPort = Number(new URL(platform.file.gatewayUrl).port)
  try {
    const targets = (name: string, own: { child: ChildProcess; port: number }): Target[] => [
      { name: 'bare node:http', port: bare.port, path: '/', pids: () => [bare.child.pid as number] },
      { name: 'processor, directly', port: own.port, path: '/', pids: () => [own.child.pid as number] },
      { name: 'through the gateway', port: gatewayPort, path: '/', headers: { host: `${name}.default.localhost` }, pids: platformPids },
    ]
    const rows: string[][] = []
    for (const [label, list, body] of [
      ['empty', targets('trivial', direct), undefined],
      ['echo 1 KiB', targets('echo', directEcho), echoBody],
    ] as const) {
      const figures = await measure(list, body)
      for (const [name, f] of figures)
        rows.push([label, name, show(spread(f.perSecond)), show(spread(f.ratio), 2), show(spread(f.cpu), 1), show(spread(f.p99), 1)])
    }
    return table(['call', 'target', 'requests/s', 'ratio to bare', 'CPU µs a request', 'p99 ms'], rows)
  } finally {
    for (const { child } of [bare, direct, directEcho]) child.kill('SIGTERM')
  }
}
