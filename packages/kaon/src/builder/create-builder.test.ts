import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { packTar } from 'modern-tar'
import { createSystem } from '../app/system.ts'
import type { Log } from '../base/log.ts'
import { createFolderBlobStore } from '../blobs/folder.ts'
import type { RevisionTemplate } from '../model/function.ts'
import { createRuntimes } from '../runtimes/index.ts'
import { createBuilder } from './create-builder.ts'

const system = createSystem()
const root = await mkdtemp(join(tmpdir(), 'kaon-builder-'))
const environment = { PATH: process.env['PATH'] ?? '', HOME: join(root, 'home') }
const runtimes = createRuntimes({ ...system, environment })
after(async () => {
  for (const runtime of runtimes) await runtime[Symbol.asyncDispose]()
  await rm(root, { recursive: true, force: true })
})
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet }
const never = new AbortController().signal

let next = 0
function newBuilder() {
  const data = join(root, String(next++))
  const blobs = createFolderBlobStore({ ...system, folder: join(data, 'blobs') })
  const folders = { artifacts: join(data, 'artifacts'), work: join(data, 'work'), cache: join(data, 'cache') }
  const builder = createBuilder({ ...system, blobs, runtimes, folders, log: quiet, environment })
  const build = async (source: object, options: { build?: object; signal?: AbortSignal; handler?: string; log?: string[] } = {}) =>
    builder.build({
      namespace: 'default',
      function: 'f',
      revision: 'f-00001',
      spec: {
        runtime: 'node',
        handler: options.handler ?? 'handler.ts',
        dialect: 'kaon',
        source,
        build: { dependencies: 'auto', scripts: false, cache: true, ...options.build },
      } as RevisionTemplate,
      log: (line) => options.log?.push(line),
      signal: options.signal ?? never,
    })
  const upload = async (sources: Record<string, string>) => {
    const entries = Object.entries(sources).map(([name, body]) => ({
      header: { name, size: Buffer.byteLength(body), type: 'file' as const },
      body,
    }))
    const packed = gzipSync(await packTar(entries))
    const { digest } = await blobs.put(
      (async function* () {
        yield packed
      })(),
      1_000_000,
    )
    return { upload: digest }
  }
  return { builder, build, upload, folders, blobs }
}

const handler = 'export default () => "hello"\n'

async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

test('source becomes a read-only artifact that is found by its digest', async () => {
  const { builder, build, folders } = newBuilder()
  const log: string[] = []
  const { manifest, artifactFolder, source, cached } = await build({ inline: handler }, { log })
  assert.deepEqual([source, cached, manifest.entry], ['inline', false, 'files/.kaon-handler.cjs'])
  assert.deepEqual((await readdir(artifactFolder)).sort(), ['artifact.json', 'contents', 'files'])
  for (const name of ['artifact.json', 'files/handler.ts', manifest.entry])
    assert.equal((await stat(join(artifactFolder, name))).mode & 0o777, 0o444)
  assert.deepEqual(await builder.find(manifest.digest), { manifest, artifactFolder })
  assert.equal(await builder.find(`sha256:${'0'.repeat(64)}`), undefined)
  assert.deepEqual(await readdir(folders.work), [])
  assert.match(log.join('\n'), /Source: inline, 1 files\..*Artifact: sha256:/s)
})

test('the same source is not built twice, and comes to the same artifact everywhere', async () => {
  const one = newBuilder()
  const source = { 'handler.ts': 'import { a } from "./a.ts"\nexport default () => a\n', 'a.ts': 'export const a = 1\n' }
  const first = await one.build(await one.upload(source))
  const second = await one.build(await one.upload({ 'a.ts': source['a.ts'], 'handler.ts': source['handler.ts'] }))
  assert.deepEqual([first.cached, second.cached, second.manifest.digest], [false, true, first.manifest.digest])
  const two = newBuilder()
  assert.equal((await two.build(await two.upload(source))).manifest.digest, first.manifest.digest)
  const again = await one.build(await one.upload(source), { build: { cache: false } })
  assert.deepEqual([again.cached, again.manifest.digest], [false, first.manifest.digest])
})

test('what decides the build makes another artifact', async () => {
  const { build, upload } = newBuilder()
  const code = 'export default () => 1\nexport const other = () => 2\n'
  const digests = [
    await build({ inline: code }),
    await build({ inline: code }, { handler: 'handler.ts#other' }),
    await build({ inline: `${code}\n` }),
    await build(await upload({ 'handler.ts': code, 'data.txt': 'x' })),
    await build(await upload({ 'handler.ts': code, 'data.txt': 'y' })),
  ].map(({ manifest }) => manifest.digest)
  assert.equal(new Set(digests).size, digests.length)
})

test('builds of the same source at the same time are one, and each hears of it', async () => {
  const { build } = newBuilder()
  const logs: string[][] = [[], [], []]
  const commands = [['node', '-e', 'require("node:fs").appendFileSync(process.env.HOME + "-count", "x"); console.log("said")']]
  const results = await Promise.all(logs.map((log) => build({ inline: handler }, { log, build: { commands } })))
  assert.equal(new Set(results.map(({ manifest }) => manifest.digest)).size, 1)
  assert.equal(await readFile(`${environment.HOME}-count`, 'utf8'), 'x')
  for (const log of logs) assert.ok(log.includes('said'))
})

test('different builds side by side do not mix', async () => {
  const { build } = newBuilder()
  const codes = Array.from({ length: 8 }, (_, i) => `export default () => ${i}\n`)
  const results = await Promise.all(codes.map((inline) => build({ inline })))
  for (const [i, { artifactFolder }] of results.entries())
    assert.equal(await readFile(join(artifactFolder, 'files/handler.ts'), 'utf8'), codes[i])
})

test('a failed build leaves nothing behind', async () => {
  const { build, folders } = newBuilder()
  await assert.rejects(build({ inline: 'export default (' }), { code: 'build_failed', message: /handler\.ts:1:17/ })
  const failing = [['node', '-e', 'console.error("no luck"); process.exit(3)']]
  await assert.rejects(build({ inline: handler }, { build: { commands: failing } }), {
    code: 'build_failed',
    message: /exit code 3:\nno luck/,
  })
  await assert.rejects(build({ inline: handler }, { build: { commands: [['no-such-program']] } }), {
    code: 'build_failed',
    message: /not found/,
  })
  for (const folder of [folders.work, folders.artifacts]) assert.deepEqual(await readdir(folder), [])
})

test('a build command sees the given environment and the source folder, and no shell', async () => {
  const { build } = newBuilder()
  const write = 'require("node:fs").writeFileSync("made.json", JSON.stringify([Object.keys(process.env).sort(), process.argv.slice(1)]))'
  const { artifactFolder } = await build({ inline: handler }, { build: { commands: [['node', '-e', write, '$(id)', '; echo']] } })
  assert.deepEqual(JSON.parse(await readFile(join(artifactFolder, 'files/made.json'), 'utf8')), [
    ['HOME', 'PATH'],
    ['$(id)', '; echo'],
  ])
})

test('an abort ends the whole process group of a build and leaves nothing', async () => {
  const { build, folders } = newBuilder()
  const log: string[] = []
  const abort = new AbortController()
  const child = 'setInterval(() => {}, 1000); console.log("pid " + process.pid)'
  const parent = `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}], { stdio: "inherit" }); setInterval(() => {}, 1000)`
  const building = build({ inline: handler }, { log, signal: abort.signal, build: { commands: [['node', '-e', parent]] } })
  await until('the grandchild', () => log.some((line) => line.startsWith('pid ')))
  const pid = Number(log.find((line) => line.startsWith('pid '))?.slice(4))
  abort.abort(new Error('changed my mind'))
  await assert.rejects(building, /changed my mind/)
  await until('the grandchild to end', async () => (await system.processes.startTime(pid)) === undefined)
  await until('the work folder to go', async () => (await readdir(folders.work)).length === 0)
  assert.deepEqual(await readdir(folders.artifacts), [])
})

test('one who leaves a common build does not end it for the others', async () => {
  const { build, folders } = newBuilder()
  const go = join(root, `go-${next}`)
  const wait = `const fs = require("node:fs"); console.log("waiting"); setInterval(() => fs.existsSync(${JSON.stringify(go)}) && process.exit(0), 10)`
  const options = { build: { commands: [['node', '-e', wait]] } }
  const log: string[] = []
  const leaving = new AbortController()
  const first = build({ inline: handler }, { ...options, log, signal: leaving.signal })
  await until('the command', () => log.includes('waiting'))
  const secondLog: string[] = []
  const second = build({ inline: handler }, { ...options, log: secondLog })
  await until('the second to join', () => secondLog.includes('waiting'))
  leaving.abort(new Error('left'))
  await assert.rejects(first, /left/)
  await writeFile(go, '')
  assert.equal((await second).cached, false)
  await until('the work folder to go', async () => (await readdir(folders.work)).length === 0)
})

test('a damaged artifact is never used, and is built anew', async () => {
  const { builder, build } = newBuilder()
  const source = { inline: handler }
  const { manifest, artifactFolder } = await build(source)
  const damages: [string, (path: string) => Promise<unknown>][] = [
    ['artifact.json', (path) => writeFile(path, '{"version":1}')],
    ['contents', (path) => writeFile(path, '')],
    ['files/handler.ts', (path) => truncate(path, 3)],
    [manifest.entry, async (path) => writeFile(path, (await readFile(path, 'utf8')).replace('hello', 'jello'))],
    [manifest.codeCache?.file ?? '', async (path) => writeFile(path, (await readFile(path)).fill(0, 100, 120))],
    ['files/handler.ts', (path) => rm(path)],
  ]
  for (const [name, damage] of damages) {
    await chmod(join(artifactFolder, name), 0o644)
    await damage(join(artifactFolder, name))
    assert.equal(await builder.find(manifest.digest), undefined, name)
    const again = await build(source)
    assert.deepEqual([again.cached, again.manifest.digest], [false, manifest.digest], name)
    assert.ok(await builder.find(manifest.digest))
  }
})

test('the collector removes what is unused and old, and what a crash left', async () => {
  const { builder, build, folders } = newBuilder()
  const [used, old, fresh] = [await build({ inline: '1' }), await build({ inline: '2' }), await build({ inline: '3' })]
  for (const { artifactFolder } of [used, old]) await utimes(join(artifactFolder, 'artifact.json'), 1, 1)
  await mkdir(join(folders.work, 'left-behind'))
  await mkdir(join(folders.artifacts, 'half'))
  await utimes(join(folders.artifacts, 'half'), 1, 1)
  await builder.collect(new Set([used.manifest.digest]))
  const left = [used, fresh].map(({ manifest }) => manifest.digest.slice(7)).sort()
  assert.deepEqual((await readdir(folders.artifacts)).sort(), left)
  assert.deepEqual(await readdir(folders.work), [])
  assert.equal((await readdir(join(folders.cache, 'inputs'))).length, 2)
  assert.equal((await build({ inline: '2' })).cached, false)
})

test('what the lock file says is installed once for all builds', async () => {
  const content = 'module.exports = (n) => n * 2\n'
  const manifest = '{"name":"double","version":"1.0.0"}'
  const file = (name: string, body: string) => ({ header: { name: `package/${name}`, size: body.length, type: 'file' as const }, body })
  const tarball = gzipSync(await packTar([file('package.json', manifest), file('index.js', content)]))
  let downloads = 0
  const server = http
    .createServer((_request, response) => {
      downloads++
      response.end(tarball)
    })
    .listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`
  const dependencies = { double: '1.0.0' }
  const lock = {
    name: 'app',
    lockfileVersion: 3,
    packages: {
      '': { name: 'app', dependencies },
      'node_modules/double': { version: '1.0.0', resolved: `${origin}/double-1.0.0.tgz`, integrity },
    },
  }
  const files = { 'package.json': JSON.stringify({ name: 'app', dependencies }), 'package-lock.json': JSON.stringify(lock) }
  const { build, upload, folders } = newBuilder()
  const log: string[] = []
  const first = await build(await upload({ ...files, 'handler.js': 'module.exports = require("double")' }), { log })
  assert.match(log.join('\n'), /npm ci --ignore-scripts/)
  const again: string[] = []
  await build(await upload({ ...files, 'handler.js': 'module.exports = [require("double")]' }), { log: again })
  server.close()
  assert.match(again.join('\n'), /as installed before/)
  assert.equal(downloads, 1)
  assert.equal((await readdir(join(folders.cache, 'dependencies'))).length, 1)
  const code = await readFile(join(first.artifactFolder, first.manifest.entry), 'utf8')
  assert.match(code, /n \* 2/)
  assert.ok(!code.includes(root))
  assert.ok(!(await readdir(join(first.artifactFolder, 'files'))).includes('node_modules'))
})

test('an unknown runtime is named with those that there are', async () => {
  const { builder } = newBuilder()
  const spec = { runtime: 'cobol', handler: 'x', source: { inline: '' }, build: { cache: true } } as unknown as RevisionTemplate
  const request = { namespace: 'a', function: 'b', revision: 'b-00001', spec, log: () => {}, signal: never }
  await assert.rejects(builder.build(request), { code: 'validation_failed', message: /'cobol'.*'node'/ })
})
