import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire, SourceMap } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { createSystem } from '../../app/system.ts'
import type { ArtifactManifest } from '../../model/artifact.ts'
import type { RevisionTemplate } from '../../model/function.ts'
import { createNodeRuntime } from './build.ts'
import { compileModule } from './module-wrapper.ts'

const root = await mkdtemp(join(tmpdir(), 'kaon-node-build-'))
const environment = { PATH: process.env['PATH'] ?? '', HOME: join(root, 'home') }
const runtime = createNodeRuntime({ ...createSystem(), environment })
after(async () => {
  await runtime[Symbol.asyncDispose]()
  await rm(root, { recursive: true, force: true })
})

let next = 0
type Built = { manifest: Omit<ArtifactManifest, 'version' | 'digest'>; folder: string; log: string[] }

async function build(sources: Record<string, string | Buffer>, spec: { handler?: string; build?: object } = {}): Promise<Built> {
  const folder = join(root, String(next++))
  const source = join(folder, 'source')
  for (const [name, content] of Object.entries(sources)) {
    await mkdir(dirname(join(source, name)), { recursive: true })
    await writeFile(join(source, name), content)
  }
  await mkdir(source, { recursive: true })
  await mkdir(join(folder, 'artifact'))
  await mkdir(join(root, 'cache'), { recursive: true })
  const log: string[] = []
  const manifest = await runtime.build({
    sourceFolder: source,
    outputFolder: join(folder, 'artifact'),
    cacheFolder: join(root, 'cache'),
    spec: {
      runtime: 'node',
      handler: spec.handler ?? 'handler.ts',
      dialect: 'kaon',
      source: {},
      build: { dependencies: 'auto', scripts: false, cache: true, ...spec.build },
    } as RevisionTemplate,
    log: (line) => log.push(line),
    signal: new AbortController().signal,
  })
  return { manifest, folder: join(folder, 'artifact'), log }
}

/** Loads an artifact as a worker does, and says whether V8 took the code cache. */
async function load({ manifest, folder }: Built) {
  const filename = join(folder, manifest.entry)
  if (manifest.format === 'module') return { exports: await import(pathToFileURL(filename).href), rejected: undefined }
  const cache = await readFile(join(folder, manifest.codeCache?.file ?? ''))
  const script = compileModule(await readFile(filename, 'utf8'), filename, cache)
  const module = { exports: {} as Record<string, (...args: unknown[]) => unknown> }
  script.runInThisContext().call(module.exports, module.exports, createRequire(filename), module, filename, dirname(filename))
  return { exports: module.exports, rejected: script.cachedDataRejected }
}

const call = async (built: Built, ...args: unknown[]) => (await load(built)).exports['default']?.(...args)

test('a TypeScript handler becomes one CommonJS file whose code cache V8 takes', async () => {
  const built = await build({
    'handler.ts': 'type A = { n: number }\nexport default (a: A): number => a.n + 1\nexport const init = () => "ready"\n',
  })
  assert.equal(built.manifest.format, 'commonjs')
  assert.equal(built.manifest.exportName, 'default')
  const { exports, rejected } = await load(built)
  assert.equal(rejected, false)
  assert.equal(exports['default']?.({ n: 41 }), 42)
  assert.equal(exports['init']?.(), 'ready')
})

test('top-level await makes an ES module, in which CommonJS goes on working', async () => {
  const built = await build({
    'handler.js':
      'import { where } from "./old.cjs"\nconst two = await Promise.resolve(2)\nexport default () => [two, where, import.meta.dirname]\n',
    'old.cjs': 'exports.where = require("node:path").basename(__dirname)\n',
  })
  assert.equal(built.manifest.format, 'module')
  assert.equal(built.manifest.codeCache, undefined)
  assert.deepEqual(await call(built), [2, 'files', join(built.folder, 'files')])
})

test('each module finds the files beside it by import.meta', async () => {
  const built = await build(
    {
      'src/handler.mts':
        'import { readFileSync } from "node:fs"\nimport { part } from "./parts/part.ts"\nimport data from "./data.json"\nimport words from "./words.txt"\n' +
        'export default () => [readFileSync(new URL("./page.html", import.meta.url), "utf8"), part(), data.n, words, import.meta.filename]\n',
      'src/parts/part.ts':
        'import { readFileSync } from "node:fs"\nexport const part = () => readFileSync(import.meta.dirname + "/part.html", "utf8")\n',
      'src/page.html': 'page',
      'src/parts/part.html': 'part',
      'src/data.json': '{"n":7}',
      'src/words.txt': 'words',
    },
    { handler: 'src/handler.mts' },
  )
  assert.deepEqual(await call(built), ['page', 'part', 7, 'words', join(built.folder, 'files/src/handler.mts')])
})

test('module code is strict, and sloppy CommonJS stays sloppy', async () => {
  const strict = await build({ 'handler.ts': 'export default function () { return this }\nexport const f = function () { return this }' })
  const { f } = (await load(strict)).exports
  assert.equal(f?.(), undefined)
  const sloppy = await build({ 'handler.js': 'module.exports = { default() { undeclared = 1; return undeclared } }' })
  assert.equal(await call(sloppy), 1)
})

test('the source map leads to the line of the author, in paths of his folder', async () => {
  const built = await build(
    {
      'src/handler.ts': 'import { x } from "../lib/deep.ts"\n\n\nexport default () => x()\n',
      'lib/deep.ts': '// one\nexport const x = () => {\n  throw new Error("here")\n}\n',
    },
    { handler: 'src/handler.ts' },
  )
  const filename = join(built.folder, built.manifest.entry)
  const map = new SourceMap(JSON.parse(await readFile(`${filename}.map`, 'utf8')))
  const error = await call(built).catch((thrown: Error) => thrown)
  const [, line, column] = /\.kaon-handler\.cjs:(\d+):(\d+)/.exec((error as Error).stack ?? '') ?? []
  const entry = map.findEntry(Number(line) - 1, Number(column) - 1)
  assert.ok('originalSource' in entry)
  assert.deepEqual([entry.originalSource, entry.originalLine + 1], ['../lib/deep.ts', 3])
  assert.ok(map.payload.sourcesContent.some((text) => text.includes('throw new Error')))
})

test('@kaon/sdk is there without being installed, and leaves no path of this machine in the bundle', async () => {
  const built = await build({
    'handler.ts': 'import { HttpError, type Event } from "@kaon/sdk"\nexport default (e: Event) => new HttpError(418, "tea").status\n',
  })
  assert.equal(await call(built), 418)
  const code = await readFile(join(built.folder, built.manifest.entry), 'utf8')
  assert.ok(!code.includes(root) && !code.includes('packages/sdk'), code)
})

test('the handler is found by its usual names, as the only code file, and by file#export', async () => {
  for (const name of ['handler.mjs', 'index.ts', 'anything.js']) {
    const built = await build({ [name]: 'export default () => 1', 'README.md': '' })
    assert.equal(built.manifest.handlerFile, name)
  }
  const named = await build({ 'lib/x.ts': 'export const greet = () => "hi"' }, { handler: 'lib/x#greet' })
  assert.deepEqual([named.manifest.handlerFile, named.manifest.exportName], ['lib/x.ts', 'greet'])
})

test('a missing handler is told with the files that are there', async () => {
  await assert.rejects(build({ 'a.ts': '', 'b.ts': '', 'docs/x.md': '' }), {
    code: 'handler_missing',
    message: /'handler\.ts'.*There: a\.ts, b\.ts, docs\//,
  })
  await assert.rejects(build({ 'handler.ts': '' }, { handler: 'other.ts' }), { code: 'handler_missing', message: /'other\.ts'/ })
  await assert.rejects(build({ 'handler.ts': '' }, { handler: '../../etc/passwd' }), { code: 'handler_missing' })
})

test('all syntax errors come at once, with place, line and caret', async () => {
  const sources = {
    'handler.ts': 'import "./a.ts"\nimport "./b.ts"\n',
    'a.ts': '\n\tconst é = "é" 1\n',
    'b.ts': 'let a = ;\n',
  }
  await assert.rejects(build(sources), (error: Error & { code: string }) => {
    assert.equal(error.code, 'build_failed')
    assert.match(error.message, /a\.ts:2:16: Expected ";" but found "1"\n {2}2 \| \tconst é = "é" 1\n {4}\| \t {14}\^/)
    assert.match(error.message, /b\.ts:1:9: Unexpected ";"/)
    return true
  })
  await assert.rejects(build({ 'handler.ts': '\n\nexport default () => /(?<n>a)(?<n>b)/\n' }), {
    code: 'build_failed',
    message: /handler\.ts:3.*[Dd]uplicate/,
  })
})

test('an import that is not there says what to install', async () => {
  const sources = { 'handler.ts': 'import "lodash/map"\nimport "@acme/thing"\nimport "./nothing.ts"\nexport default 1\n' }
  await assert.rejects(build(sources), (error: Error & { hint: string }) => {
    assert.match(error.message, /npm install lodash\n/)
    assert.match(error.message, /handler\.ts:3:8: Cannot find '\.\/nothing\.ts'/)
    assert.match(error.hint, /npm install lodash @acme\/thing/)
    return true
  })
})

test('nothing outside of the folder can be imported', async () => {
  await writeFile(join(root, 'secret.json'), '{"key":"value"}')
  const sources = { 'handler.ts': `import secret from ${JSON.stringify(join(root, 'secret.json'))}\nexport default () => secret\n` }
  await assert.rejects(build(sources), { code: 'build_failed', message: /outside of the function's folder/ })
})

test('dependencies without a lock file of npm are refused with what to do', async () => {
  const manifest = JSON.stringify({ dependencies: { ms: '^2.0.0' } })
  await assert.rejects(build({ 'package.json': manifest, 'handler.ts': 'export default 1' }), {
    code: 'lock_file_missing',
    hint: /npm install/,
  })
  await assert.rejects(build({ 'package.json': manifest, 'yarn.lock': '', 'handler.ts': 'export default 1' }), {
    code: 'lock_file_missing',
    message: /yarn/,
  })
  await build({ 'package.json': '{"dependencies":{"@kaon/sdk":"*"}}', 'handler.ts': 'export default 1' })
  await assert.rejects(build({ 'package.json': '{oops', 'handler.ts': 'export default 1' }), {
    code: 'build_failed',
    message: /package\.json/,
  })
})

const localPackage = (scripts = {}) => ({
  'package.json': JSON.stringify({ name: 'app', version: '1.0.0', dependencies: { local: 'file:./vendor/local' } }),
  'package-lock.json': JSON.stringify({
    name: 'app',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: {
      '': { name: 'app', version: '1.0.0', dependencies: { local: 'file:./vendor/local' } },
      'node_modules/local': { resolved: 'vendor/local', link: true },
      'vendor/local': { version: '1.0.0', ...(Object.keys(scripts).length > 0 ? { hasInstallScript: true } : {}) },
    },
  }),
  'vendor/local/package.json': JSON.stringify({ name: 'local', version: '1.0.0', main: 'main.js', scripts }),
  'vendor/local/main.js': 'module.exports = (name) => "local " + name\n',
  'handler.js': 'import local from "local"\nexport default (name) => local(name)\n',
})

test('npm installs what the lock file says, and the bundle needs no node_modules', async () => {
  const built = await build(localPackage())
  assert.equal(await call(built, 'me'), 'local me')
  assert.ok(!(await readdir(join(built.folder, 'files'))).includes('node_modules'))
})

test('lifecycle scripts run only when they are allowed', async () => {
  const scripts = { postinstall: "node -e \"require('node:fs').writeFileSync('ran','')\"" }
  const without = await build(localPackage(scripts))
  assert.ok(!(await readdir(join(without.folder, 'files/vendor/local'))).includes('ran'))
  const allowed = await build(localPackage(scripts), { build: { scripts: true } })
  assert.ok((await readdir(join(allowed.folder, 'files/vendor/local'))).includes('ran'))
})

test("a failed npm ci is told in npm's words, without credentials", async () => {
  const sources = {
    ...localPackage(),
    'package-lock.json': '{"name":"x","lockfileVersion":3,"packages":{"":{"name":"x"}}}',
    '.npmrc': '//127.0.0.1:1/:_authToken=very-secret-token\ngit=/bin/false\n',
  }
  await assert.rejects(build(sources), (error: Error & { code: string }) => {
    assert.equal(error.code, 'dependencies_failed')
    assert.match(error.message, /in sync|lock file/)
    assert.ok(!error.message.includes('very-secret-token'))
    return true
  })
})

test('a package with machine code stays beside the bundle', async () => {
  const built = await build(
    {
      'handler.ts': 'import native from "native"\nimport plain from "plain"\nexport default () => [native, plain]\n',
      'node_modules/native/package.json': '{"name":"native","version":"1.0.0","main":"main.js"}',
      'node_modules/native/main.js': 'module.exports = require("node:path").basename(__dirname)',
      'node_modules/native/binding.gyp': '{}',
      'node_modules/plain/package.json': '{"name":"plain","version":"1.0.0"}',
      'node_modules/plain/index.js': 'module.exports = "plain"',
    },
    { build: { dependencies: 'none' } },
  )
  assert.deepEqual(await call(built), ['native', 'plain'])
  const code = await readFile(join(built.folder, built.manifest.entry), 'utf8')
  assert.match(code, /require\("native"\)/)
  assert.ok(!code.includes('require("plain")'))
})

test('the same source gives the same bundle wherever it lies', async () => {
  const sources = {
    'handler.ts': 'import { a } from "./a.ts"\nexport default () => [a, import.meta.url]\n',
    'a.ts': 'export const a = 1\n',
  }
  const [one, two] = [await build(sources), await build(sources)]
  for (const suffix of ['', '.map']) {
    assert.deepEqual(
      await readFile(join(one.folder, one.manifest.entry + suffix)),
      await readFile(join(two.folder, two.manifest.entry + suffix)),
    )
  }
  await cp(one.folder, join(root, 'elsewhere'), { recursive: true })
  assert.equal((await load({ ...one, folder: join(root, 'elsewhere') })).rejected, false)
})
