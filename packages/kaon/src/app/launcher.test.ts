import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readConfig } from './config.ts'
import { launch } from './launcher.ts'
import type { PlatformFile } from './platform-file.ts'
import { stopPlatform } from './stop-platform.ts'
import { createSystem } from './system.ts'

const system = createSystem()

type Answer = { status: number; text: string; headers: Record<string, unknown> }

function call(url: string, options: { method?: string; body?: unknown; type?: string; host?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = options.body === undefined ? undefined : JSON.stringify(options.body)
    const headers = {
      ...(body === undefined ? {} : { 'content-type': options.type ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
      ...(options.host === undefined ? {} : { host: options.host }),
    }
    const outgoing = request(url, { method: options.method ?? 'GET', headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part) => (text += part))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }))
      response.on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

async function until(what: string, isSo: () => Promise<boolean> | boolean, withinMs = 20_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 20)))
    if (await Promise.resolve(isSo()).catch(() => false)) return
  throw new Error(`Waited ${withinMs} ms for ${what}`)
}

/** A whole platform in a folder of its own, launched by this process. */
class Platform implements AsyncDisposable {
  readonly folder: string
  readonly warnings: string[] = []
  #stop = new AbortController()
  #ended: Promise<void> = Promise.resolve()

  constructor(folder = mkdtempSync(join(tmpdir(), 'kaon-launch-'))) {
    this.folder = folder
  }

  get data(): string {
    return join(this.folder, 'data')
  }

  config(flags: Record<string, string> = {}) {
    const all = { data: this.data, port: '0', 'gateway-port': '0', ...flags }
    return readConfig({ flags: all, environment: { HOME: this.folder }, files: system.files, workingFolder: '/' })
  }

  async start(flags: Record<string, string> = {}): Promise<this> {
    const config = await this.config(flags)
    this.#stop = new AbortController()
    await new Promise<void>((resolve, reject) => {
      const environment = { PATH: process.env['PATH'], HOME: this.folder }
      const show = (line: string) => this.warnings.push(line)
      this.#ended = launch({ config, version: '0.0.0', environment, signal: this.#stop.signal, show, onReady: () => resolve() }, system)
      this.#ended.catch(reject)
    })
    return this
  }

  get file(): PlatformFile {
    return JSON.parse(readFileSync(join(this.data, 'platform.json'), 'utf8')) as PlatformFile
  }

  functions(path = ''): string {
    return `${this.file.apiUrl}/apis/kaon.dev/v1/namespaces/default/functions${path}`
  }

  put(name: string, inline: string): Promise<Answer> {
    const resource = { apiVersion: 'kaon.dev/v1', kind: 'Function', metadata: { name }, spec: { source: { inline } } }
    return call(this.functions(), { method: 'POST', body: resource })
  }

  change(name: string, spec: unknown): Promise<Answer> {
    return call(this.functions(`/${name}`), { method: 'PATCH', type: 'application/merge-patch+json', body: { spec } })
  }

  async ready(name: string): Promise<void> {
    let seen = ''
    await until(`${name} to be ready`, async () => {
      seen = (await call(this.functions(`/${name}`))).text
      const { metadata, status } = JSON.parse(seen)
      return (
        status.observedGeneration === metadata.generation &&
        status.conditions.find((c: { type: string }) => c.type === 'Ready').status === 'True'
      )
    }).catch((error: Error) => {
      throw new Error(`${error.message}; last seen: ${seen}`)
    })
  }

  run(name: string): Promise<Answer> {
    return call(`${this.file.gatewayUrl}/`, { host: `${name}.default.localhost` })
  }

  stop(): Promise<void> {
    this.#stop.abort()
    return this.#ended
  }

  /** Processes that name this data folder. */
  processes(): string[] {
    if (!existsSync('/proc/self')) return []
    return readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && Number(pid) !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(this.data)
      } catch {
        return false
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => {})
    await stopPlatform(await this.config(), system)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

test('a function is created, called, changed, called again and removed, and nothing is left of it', async () => {
  await using platform = await new Platform().start()
  const made = await platform.put('hello', 'export default (event: { query: unknown }): string => "one"')
  assert.equal(made.status, 201, made.text)
  await platform.ready('hello')
  assert.deepEqual((({ status, text }) => ({ status, text }))(await platform.run('hello')), { status: 200, text: 'one' })
  assert.equal((await call(platform.functions('/hello/invoke/some/path?x=1'))).text, 'one')

  await platform.change('hello', { source: { inline: 'export default () => "two"' } })
  await platform.ready('hello')
  const second = await platform.run('hello')
  assert.equal(second.text, 'two')
  assert.equal(second.headers['kaon-revision'], 'hello-00002')
  assert.match((await call(platform.functions('/hello/metrics'))).text, /revision="hello-00002"/)
  assert.match((await call(platform.functions('/hello/build'))).text, /Artifact: sha256:/)

  await call(platform.functions('/hello'), { method: 'DELETE' })
  await until('the function to be gone', async () => (await call(platform.functions('/hello'))).status === 404)
  assert.deepEqual(JSON.parse((await call(platform.functions().replace('/functions', '/revisions'))).text).items, [])
  await until('the gateway to know', async () => (await platform.run('hello')).status === 404)
  for (const folder of ['logs/default', 'builds/default']) {
    const path = join(platform.data, folder)
    assert.deepEqual(existsSync(path) ? readdirSync(path) : [], [], folder)
  }

  await platform.stop()
  await until('every process to be gone', () => platform.processes().length === 0, 5_000)
  const { runFolder } = await platform.config()
  assert.deepEqual(readdirSync(runFolder), [])
  assert.deepEqual(readdirSync(join(platform.data, 'replicas')), [])
  assert.equal(existsSync(join(platform.data, 'platform.json')), false)
})

test('a control plane that is killed comes back on the same port and adopts its replicas, while functions go on answering', async () => {
  await using platform = await new Platform().start()
  await platform.put('steady', 'export default () => String(process.pid)')
  await platform.ready('steady')
  const pid = (await platform.run('steady')).text
  const { controlPlanePid, apiUrl } = platform.file
  process.kill(controlPlanePid as number, 'SIGKILL')
  for (let i = 0; i < 30; i++) assert.equal((await platform.run('steady')).text, pid)
  await until(
    'the control plane to be back',
    async () => (await call(`${apiUrl}/readyz`)).status === 200 && platform.file.controlPlanePid !== controlPlanePid,
  )
  await platform.ready('steady')
  assert.equal((await platform.run('steady')).text, pid, 'the replica was not kept')
  assert.match(platform.warnings.join('\n'), /the control-plane ended \(SIGKILL\)/)
})

test('a gateway that is killed comes back on the same port', async () => {
  await using platform = await new Platform().start()
  await platform.put('steady', 'export default () => "here"')
  await platform.ready('steady')
  process.kill(platform.file.gatewayPid as number, 'SIGKILL')
  await until('the gateway to answer again', async () => (await platform.run('steady')).text === 'here')
})

test('a second platform on the same data folder is refused, naming the first', async () => {
  await using platform = await new Platform().start()
  const second = new Platform(platform.folder)
  await assert.rejects(second.start(), (error: { code: string; message: string }) => {
    assert.equal(error.code, 'data_locked')
    assert.match(error.message, new RegExp(`process ${process.pid}`))
    return true
  })
  await until('the first to be well', async () => (await call(`${platform.file.apiUrl}/readyz`)).status === 200)
})

test('a port in use is named with the flag that chooses another, and nothing runs', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const port = String((taken.address() as AddressInfo).port)
  await using platform = new Platform()
  await assert.rejects(platform.start({ port }), { code: 'port_in_use', message: `Port ${port} on 127.0.0.1 is in use.`, hint: /--port/ })
  await assert.rejects(platform.start({ 'gateway-port': port }), { code: 'port_in_use', hint: /--gateway-port/ })
  assert.deepEqual(platform.processes(), [])
  taken.close()
})
