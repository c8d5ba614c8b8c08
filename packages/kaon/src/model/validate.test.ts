import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { type FieldError, isKaonError, type KaonError } from '../base/errors.ts'
import { type KindName, kindNamed, kinds } from './kinds.ts'
import type { ValidationOptions } from './rules.ts'
import { applyDefaults, prepare, validate } from './validate.ts'

const functionKind = kindNamed('Function')

function functionOf(spec: object, metadata: object = { name: 'hello' }) {
  return { apiVersion: 'kaon.dev/v1', kind: 'Function', metadata, spec: { source: { inline: 'x' }, ...spec } }
}

function routeOf(rule: object) {
  return { apiVersion: 'kaon.dev/v1', kind: 'Route', metadata: { name: 'r' }, spec: { rules: [{ to: [{ function: 'f' }], ...rule }] } }
}

function refusalOf(kind: KindName, input: unknown, options?: ValidationOptions): KaonError {
  try {
    prepare(kindNamed(kind), input, options)
  } catch (error) {
    assert.ok(isKaonError(error) && error.code === 'validation_failed', String(error))
    return error
  }
  throw new Error('It was accepted.')
}

/** The one error of an input that has just this one. */
function onlyError(kind: KindName, input: unknown, options?: ValidationOptions): FieldError {
  const { fields } = refusalOf(kind, input, options)
  assert.equal(fields?.length, 1, JSON.stringify(fields))
  return fields![0]!
}

describe('prepare', () => {
  test('fills in defaults all the way down, and leaves what it was given as it is', () => {
    const input = functionOf({ scale: { min: 2 }, env: [{ name: 'A', value: 'b' }] })
    const before = structuredClone(input)
    const spec = prepare(functionKind, input).spec as Record<string, unknown>
    assert.deepEqual(input, before)
    assert.equal(spec.timeout, '30s')
    assert.deepEqual(spec.resources, { memory: '128Mi' })
    assert.equal((spec.scale as { min: number; max: number }).min, 2)
    assert.equal((spec.scale as { min: number; max: number }).max, 10)
  })

  test('takes null for "not given", as Kubernetes does', () => {
    const prepared = prepare(functionKind, functionOf({ timeout: null, env: null }, { name: 'a', creationTimestamp: null }))
    assert.equal((prepared.spec as { timeout: string }).timeout, '30s')
    assert.deepEqual(prepared.metadata, { name: 'a' })
  })

  test('keeps metadata as given', () => {
    const metadata = { name: 'a', namespace: 'b', labels: { 'example.com/x': 'y' }, annotations: { z: 'any text\n' }, resourceVersion: '7' }
    assert.deepEqual(prepare(functionKind, functionOf({}, metadata)).metadata, metadata)
  })

  test('shares no default between two resources', () => {
    const [one, other] = [prepare(functionKind, functionOf({})), prepare(functionKind, functionOf({}))]
    ;(one.spec as { env: unknown[] }).env.push({ name: 'A', value: 'b' })
    assert.deepEqual((other.spec as { env: unknown[] }).env, [])
  })

  test('reports every error at once', () => {
    const { fields, message } = refusalOf(
      'Function',
      functionOf({ runtime: 'python', timeuot: '3s', workers: 0, scale: { min: 3, max: 2 } }),
    )
    assert.deepEqual(fields?.map((error) => error.field).sort(), ['spec.runtime', 'spec.scale.min', 'spec.timeuot', 'spec.workers'])
    assert.match(message, /^Function 'hello' is not valid: .* \(and 3 more\)$/)
  })

  test('takes a large resource in little time, and bounds the errors of a bad one', () => {
    const data = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`key-${i}`, 'x'.repeat(90)]))
    const good = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'big' }, data }
    assert.deepEqual(prepare(kindNamed('ConfigMap'), good), good)
    assert.equal(refusalOf('ConfigMap', { ...good, ...data }).fields?.length, 100)
  })
})

describe('an error names the field, the value and what is allowed', () => {
  const cases: [title: string, spec: object, field: string, message: RegExp][] = [
    ['unknown field', { timeuot: '3s' }, 'spec.timeuot', /^unknown field "timeuot"; did you mean "timeout"\?$/],
    ['unknown field far down', { env: [{ name: 'A', value: 'b', sceret: {} }] }, 'spec.env[0].sceret', /did you mean "secret"\?/],
    ['unknown field like none', { xyzzy: 1 }, 'spec.xyzzy', /known are runtime, handler/],
    ['unknown runtime', { runtime: 'python' }, 'spec.runtime', /^must be 'node', not 'python' \(.*Other languages come/],
    ['enum with a slip', { isolation: 'proces' }, 'spec.isolation', /one of 'thread', 'process', not 'proces'; did you mean "process"\?/],
    ['wrong type', { workers: '2' }, 'spec.workers', /^must be a whole number, not '2'$/],
    ['too much', { workers: 65 }, 'spec.workers', /^must be at most 64, not 65$/],
    ['too little', { scale: { target: 0 } }, 'spec.scale.target', /^must be more than 0, not 0$/],
    ['no duration', { timeout: '30 sec' }, 'spec.timeout', /^must be a duration such as .*, not '30 sec'$/],
    ['list for object', { scale: [] }, 'spec.scale', /^must be an object, not a list$/],
    ['missing', { env: [{ value: 'b' }] }, 'spec.env[0].name', /^is required$/],
    ['reserved', { volumes: [] }, 'spec.volumes', /^is not available yet: it comes with the container platforms$/],
    ['reserved trigger', { triggers: { nightly: { kind: 'cron' } } }, 'spec.triggers.nightly.kind', /^must be 'http', not 'cron'/],
    ['strict sandbox', { security: { sandbox: 'strict' } }, 'spec.security.sandbox', /^'strict' is not available yet/],
    ['bad trigger name', { triggers: { 'No!': { kind: 'http' } } }, 'spec.triggers["No!"]', /lower-case/],
  ]
  for (const [title, spec, field, message] of cases)
    test(title, () => {
      const error = onlyError('Function', functionOf(spec))
      assert.equal(error.field, field)
      assert.match(error.message, message)
    })

  test('the reason tells what is reserved from what is wrong', () => {
    assert.equal(onlyError('Function', functionOf({ bindings: {} })).reason, 'not_available')
    assert.equal(onlyError('Function', functionOf({ security: { sandbox: 'strict' } })).reason, 'not_available')
    assert.equal(onlyError('Function', functionOf({ bindngs: {} })).reason, 'unknown')
    assert.equal(onlyError('Function', functionOf({ workers: -1 })).value, -1)
  })

  test('a field at the wrong level is told where it belongs', () => {
    assert.match(onlyError('Function', { ...functionOf({}), timeout: '3s' }).message, /did you mean "spec.timeout"\?/)
  })
})

describe('rules that a schema cannot say', () => {
  const variable = (extra: object) => ({ name: 'A', value: 'x', ...extra })
  const reference = { name: 's', key: 'k' }
  const functionCases: [title: string, spec: object, field: string][] = [
    ['no source', { source: {} }, 'spec.source'],
    ['two sources', { source: { inline: 'x', path: 'y' } }, 'spec.source'],
    ['a git path that escapes', { source: { git: { url: 'https://x/y', path: 'a/../../b' } } }, 'spec.source.git.path'],
    ['a variable with two values', { env: [variable({ secret: reference })] }, 'spec.env[0]'],
    ['a variable without a value', { env: [{ name: 'A' }] }, 'spec.env[0]'],
    ['a variable given twice', { env: [variable({}), variable({})] }, 'spec.env[1].name'],
    ['PORT as a variable', { env: [variable({ name: 'PORT' })] }, 'spec.env[0].name'],
    ['a variable of the platform', { env: [variable({ name: 'KAON_X' })] }, 'spec.env[0].name'],
    ['a variable of Knative', { env: [variable({ name: 'K_SERVICE' })] }, 'spec.env[0].name'],
    ['a file that escapes', { files: [{ path: 'a/../../b', value: 'x' }] }, 'spec.files[0].path'],
    ['a file with a NUL', { files: [{ path: 'a\0b', value: 'x' }] }, 'spec.files[0].path'],
    ['a file with a backslash', { files: [{ path: '..\\b', value: 'x' }] }, 'spec.files[0].path'],
    ['two files at one path', { files: [1, 2].map(() => ({ path: '/a', value: 'x' })) }, 'spec.files[1].path'],
    ['a file with two contents', { files: [{ path: 'a', value: 'x', config: reference }] }, 'spec.files[0]'],
    ['a handler that escapes', { handler: '../x.ts' }, 'spec.handler'],
    ['an absolute handler', { handler: '/etc/x.ts#run' }, 'spec.handler'],
    ['percents that do not make 100', { traffic: [{ percent: 60 }, { revision: 'a-00001', percent: 30 }] }, 'spec.traffic'],
    ['a tag given twice', { traffic: [{ tag: 'a' }, { revision: 'a-00001', tag: 'a' }] }, 'spec.traffic[1].tag'],
    ['min above max', { scale: { min: 11 } }, 'spec.scale.min'],
  ]
  for (const [title, spec, field] of functionCases) test(title, () => assert.equal(onlyError('Function', functionOf(spec)).field, field))

  const metadataCases: [title: string, metadata: object, field: string][] = [
    ['no name', {}, 'metadata.name'],
    ['a function name with --', { name: 'a--b' }, 'metadata.name'],
    ['a function name that is too long', { name: 'a'.repeat(51) }, 'metadata.name'],
    ['a function name with a dot', { name: 'a.b' }, 'metadata.name'],
    ['a label that no selector could say', { name: 'a', labels: { x: 'a b' } }, 'metadata.labels.x'],
  ]
  for (const [title, metadata, field] of metadataCases)
    test(title, () => assert.equal(onlyError('Function', functionOf({}, metadata)).field, field))

  const routeCases: [title: string, rule: object, field: string][] = [
    ['a destination that is two', { to: [{ function: 'f', url: 'http://x' }] }, 'spec.rules[0].to[0]'],
    ['a destination that is none', { to: [{ weight: 1 }] }, 'spec.rules[0].to[0]'],
    ['a revision of a URL', { to: [{ url: 'http://x', revision: 'f-00001' }] }, 'spec.rules[0].to[0].revision'],
    ['two ways to sign in', { auth: { open: true, apiKey: { secret: 's' } } }, 'spec.rules[0].auth'],
    ['credentials for any origin', { cors: { origins: ['*'], credentials: true } }, 'spec.rules[0].cors.credentials'],
    ['no destination with a weight', { to: [{ function: 'f', weight: 0 }] }, 'spec.rules[0].to'],
    ['a rate limit, which is reserved', { rateLimit: 1 }, 'spec.rules[0].rateLimit'],
  ]
  for (const [title, rule, field] of routeCases) test(title, () => assert.equal(onlyError('Route', routeOf(rule)).field, field))

  test('a path as source is for files only: a server says that the command line uploads it', () => {
    const input = functionOf({ source: { path: './src' } })
    prepare(functionKind, input)
    const error = onlyError('Function', input, { origin: 'server' })
    assert.equal(error.field, 'spec.source.path')
    assert.match(error.message, /kaon deploy/)
  })

  test('a namespaced name on a kind without namespaces is refused', () => {
    assert.equal(
      onlyError('Namespace', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a', namespace: 'b' } }).field,
      'metadata.namespace',
    )
  })
})

describe('what no resource may hold', () => {
  test('a __proto__ key is refused wherever it stands', () => {
    const input = JSON.parse('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"__proto__":{"x":"y"}}}')
    assert.equal(onlyError('ConfigMap', input).field, 'data.__proto__')
  })

  test('more than 64 levels are refused, however many there are', () => {
    let deep: unknown = 'x'
    for (let i = 0; i < 100_000; i++) deep = { a: deep }
    assert.match(onlyError('ConfigMap', deep).message, /deeper than 64 levels/)
  })

  test('more than 50,000 values are refused as one error, and no later step looks at them', () => {
    const many = Object.fromEntries(Array.from({ length: 50_001 }, (_, i) => [`u${i}`, i]))
    assert.match(onlyError('ConfigMap', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, ...many }).message, /50000 values/)
  })

  test('labels and annotations of more than 256 KiB are refused, each counted in all', () => {
    const few = { a: 'x'.repeat(131_000), b: 'x'.repeat(131_000) }
    assert.ok(prepare(functionKind, functionOf({}, { name: 'a', annotations: few })))
    const annotations = { ...few, c: 'x'.repeat(1000) }
    assert.equal(onlyError('Function', functionOf({}, { name: 'a', annotations })).field, 'metadata.annotations')
    const labels = Object.fromEntries(Array.from({ length: 6000 }, (_, i) => [`l${i}`, 'x'.repeat(40)]))
    assert.equal(onlyError('Function', functionOf({}, { name: 'a', labels })).field, 'metadata.labels')
  })

  test('the values of a Secret are in no error', () => {
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      data: { a: 'hunter2!', b: 4242 },
      stringDta: 'hunter2!',
      stringData: ['hunter2!'],
    }
    const { fields, message, hint } = refusalOf('Secret', secret)
    assert.deepEqual(fields?.map((error) => error.field).sort(), ['data.a', 'data.b', 'stringData', 'stringDta'])
    assert.doesNotMatch(JSON.stringify({ fields, message, hint }), /hunter2|4242/)
  })
})

describe('for anything at all', () => {
  const spec = fc.record(
    { timeout: fc.string(), env: fc.array(fc.record({ name: fc.string(), value: fc.string() })), x: fc.jsonValue() },
    { requiredKeys: [] },
  )
  const almost = fc.record({
    apiVersion: fc.constant('kaon.dev/v1'),
    kind: fc.constantFrom('Function', 'Route'),
    metadata: fc.record({ name: fc.string() }),
    spec,
  })
  const input = fc.oneof(fc.jsonValue(), fc.object(), fc.anything(), almost)

  test('prepare throws nothing but validation_failed', () => {
    fc.assert(
      fc.property(fc.constantFrom(...kinds), input, (kind, value) => {
        try {
          prepare(kind, value)
        } catch (error) {
          assert.equal((error as KaonError).code, 'validation_failed')
          assert.ok((error as KaonError).fields!.length > 0)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('a schema that is not met is always explained', () => {
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.oneof(fc.jsonValue(), almost), (kind, value) => {
        const filled = typeof value === 'object' && value !== null && !Array.isArray(value) ? applyDefaults(kind, value as never) : value
        assert.ok(validate(kind, filled).length > 0)
      }),
      { numRuns: 500 },
    )
  })

  test('preparing what is prepared changes nothing', () => {
    const env = fc
      .uniqueArray(fc.stringMatching(/^[A-J][A-Z]{0,5}$/), { maxLength: 4 })
      .map((names) => names.map((name) => ({ name, value: 'x' })))
    const valid = fc.record(
      { env, workers: fc.integer({ min: 1, max: 64 }), timeout: fc.stringMatching(/^\d{1,3}(ms|s|m)$/) },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(valid, (spec) => {
        const once = prepare(functionKind, functionOf(spec))
        assert.deepEqual(prepare(functionKind, once), once)
      }),
      { numRuns: 200 },
    )
  })
})
