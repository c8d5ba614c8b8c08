import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRig } from './testing.ts'

const refused: [name: string, code: string, expected: RegExp, errorCode: string][] = [
  [
    'a text',
    `exports.default = 'hello'; exports.other = 1`,
    /^'handler\.ts' exports 'default' as a string; wanted a function or an object with a fetch method\. Exports found: default, other\.$/,
    'handler_invalid',
  ],
  ['a class', `exports.default = class Api { fetch() {} }`, /exports 'default' as a class/, 'handler_invalid'],
  ['an object', `exports.default = { get() {} }`, /as an object without a fetch method/, 'handler_invalid'],
  ['nothing', ``, /has no export 'default'\. It exports nothing\./, 'handler_invalid'],
  ['another name', `exports.main = () => 1`, /has no export 'default'\. Exports found: main\./, 'handler_invalid'],
  [
    'an init that is none',
    `exports.default = () => 1; exports.init = 3`,
    /exports 'init' as a number; wanted a function/,
    'handler_invalid',
  ],
  [
    'a throw at its top',
    `\nthrow new RangeError('no start')`,
    /^'handler\.ts' failed while it was loaded: RangeError: no start \(.*handler\.js:2:7\)$/,
    'start_failed',
  ],
  [
    'a throw in init',
    `exports.default = () => 1; exports.init = async () => { throw new Error('no database') }`,
    /^'init' of 'handler\.ts' failed: Error: no database \(.*handler\.js:1:\d+\)$/,
    'start_failed',
  ],
  ['an exit', `process.exit(4)`, /'handler\.ts' did not start: The handler called process\.exit\(4\)/, 'start_failed'],
]

test('a module without a usable handler is refused with what it exports instead', async () => {
  await Promise.all(
    refused.map(async ([name, code, message, errorCode]) => {
      await using rig = startRig(code)
      await assert.rejects(rig.handle.ready, (error: Error & { code: string }) => {
        assert.match(error.message, message, name)
        assert.equal(error.code, errorCode, name)
        return true
      })
      await rig.handle.exited
    }),
  )
})

test('a missing entry and a start without end are told too', async () => {
  await using missing = startRig('', { manifest: { entry: 'handler.js' }, assignment: { artifactFolder: '/nowhere' } })
  await assert.rejects(missing.handle.ready, { code: 'handler_missing' })
  await using endless = startRig('for (;;);', { startTimeoutMs: 300 })
  await assert.rejects(endless.handle.ready, {
    code: 'start_failed',
    message: "'handler.ts' did not start: it was not ready within 0.3 s.",
  })
  assert.equal((await endless.handle.exited).cause, 'timeout')
})

const found: [name: string, code: string, manifest: object][] = [
  ['exports.default', `exports.default = () => 'found'`, {}],
  ['module.exports', `module.exports = () => 'found'`, {}],
  ['exports.handler', `exports.handler = () => 'found'`, {}],
  ['fetch on module.exports', `module.exports = { fetch: () => new Response('found') }`, {}],
  ['a named export', `exports.main = () => 'found'`, { exportName: 'main' }],
  ['a default of a default', `exports.default = { __esModule: true, default: () => 'found' }`, {}],
  [
    'a module',
    `export default async () => { const { sep } = await import('node:path'); return sep ? 'found' : '' }`,
    { format: 'module', entry: 'handler.mjs' },
  ],
  [
    'a module with await at its top',
    `const text = await Promise.resolve('found'); export const main = () => text`,
    { format: 'module', entry: 'handler.mjs', exportName: 'main' },
  ],
  ['import() and require in CommonJS', `exports.default = async () => (await import('node:path')).sep && require('./part.js')`, {}],
  ['a broken code cache', `exports.default = () => 'found'`, { codeCache: { file: 'part.js', node: 'v1' } }],
]

test('the handler is found in each form a module can have', async () => {
  await Promise.all(
    found.map(async ([name, code, manifest]) => {
      await using rig = startRig(code, { manifest, files: { 'part.js': `module.exports = 'found'` } })
      assert.equal((await (await rig.gateway()).call().done()).text, 'found', name)
    }),
  )
})

test('init runs once and is awaited before the worker is ready; the steps are timed', async () => {
  await using rig = startRig(`
    let made = 0
    exports.init = async (context) => { await new Promise(r => setTimeout(r, 30)); made++; context.userData.by = context.function }
    exports.default = (event, context) => ({ made, ...context.userData })`)
  const steps = await rig.handle.ready
  assert.ok((steps.initialisedMs as number) - (steps.loadedMs as number) >= 29)
  assert.ok((steps.readyMs as number) >= (steps.initialisedMs as number))
  const gateway = await rig.gateway()
  await gateway.call().done()
  assert.equal((await gateway.call().done()).text, '{"made":1,"by":"hello"}')
})

test('stacks name the author’s lines, by the map beside the bundle', async () => {
  // Line 2 of the bundle is line 5 of src/orders.ts.
  const map = { version: 3, sources: ['../src/orders.ts'], names: [], mappings: ';AAIA' }
  await using rig = startRig(`const first = 1\nexports.default = () => { throw new Error('mapped') }`, {
    files: { 'handler.js.map': JSON.stringify(map) },
  })
  assert.equal((await (await rig.gateway()).call().done()).status, 500)
  const line = await rig.log((each) => each.msg === 'Error: mapped')
  assert.match(String(line.fields?.['stack']), /^Error: mapped\n {4}at .*\(src\/orders\.ts:5:1\)$/m)
})
