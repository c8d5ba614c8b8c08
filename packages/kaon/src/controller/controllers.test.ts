import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { isKaonError, KaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { ReplicaAssignment } from '../model/assignment.ts'
import type { Builder } from '../model/builder.ts'
import type { FunctionResource } from '../model/function.ts'
import { type KindName, kindNamed } from '../model/kinds.ts'
import { findCondition, type Resource, type Stored } from '../model/metadata.ts'
import type { RevisionResource } from '../model/revision.ts'
import { prepare } from '../model/validate.ts'
import { FakePlatform } from '../platforms/fake.ts'
import { openSqliteStore } from '../stores/sqlite.ts'
import type { Store } from '../stores/store.ts'
import { createCaches } from './caches.ts'
import { type ControllerDeps, startControllers } from './controllers.ts'
import { createEvents } from './events.ts'
import { requestDelete, resourceOf, withIdentity } from './objects.ts'
import { routingTable } from './routing.ts'
import { RoutingPublisher } from './routing-publisher.ts'

const system = createSystem()
const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent }

/** Builds nothing: what comes out depends on the inline source alone. */
class FakeBuilder implements Pick<Builder, 'build' | 'find' | 'collect'> {
  readonly artifacts = new Set<string>()
  builds = 0
  beforeCall: () => void = () => {}

  async build({ spec, log }: Parameters<Builder['build']>[0]) {
    this.beforeCall()
    this.builds++
    log('building')
    const source = spec.source.inline ?? ''
    if (source.includes('broken')) throw new KaonError('build_failed', 'handler.ts:1:1: unexpected end of file')
    const digest = `sha256:${Buffer.from(source).toString('hex').padEnd(64, '0').slice(0, 64)}`
    this.artifacts.add(digest)
    return { manifest: { digest } as never, artifactFolder: `/artifacts/${digest}`, source: 'inline', cached: false }
  }

  async find(digest: string) {
    return this.artifacts.has(digest) ? { manifest: { digest } as never, artifactFolder: `/artifacts/${digest}` } : undefined
  }

  async collect() {}
}

type Life = { stop(): Promise<void>; routing: RoutingPublisher }

/** A store, a platform and a builder that outlive the controllers, as they do when the control plane is killed. */
class Rig implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'kaon-controllers-'))
  /** What the newest replica of each revision was told. */
  readonly assignments = new Map<string, ReplicaAssignment>()
  /** Revisions whose replicas do not start, and why. */
  readonly failing = new Map<string, KaonError>()
  readonly platform = new FakePlatform({
    clock: system.clock,
    restartMs: 10,
    start: async (assignment) => {
      const failure = this.failing.get(assignment.revision)
      if (failure !== undefined) throw failure
      this.assignments.set(assignment.revision, assignment)
    },
  })
  readonly forgotten: string[] = []
  readonly builder = new FakeBuilder()
  readonly removedLogs: string[] = []
  store!: Store
  life: Life | undefined
  /** Called before each write of the controllers; may throw. */
  beforeWrite: () => void = () => {}
  /** Called before each call of the platform; may throw. */
  beforePlatform: () => void = () => {}

  static async open(): Promise<Rig> {
    const rig = new Rig()
    rig.store = await openSqliteStore({ file: join(rig.folder, 'store.sqlite'), clock: system.clock })
    rig.live()
    return rig
  }

  /** Starts the controllers, with a gateway that applies each table at once. */
  live(): Life {
    const { platform } = this
    const guarded: ControllerDeps['platform'] = {
      replicas: () => platform.replicas(),
      onChange: (listener) => platform.onChange(listener),
      ensure: (wanted) => {
        this.beforePlatform()
        platform.ensure(wanted)
      },
      forget: async (namespace, name) => {
        this.beforePlatform()
        this.forgotten.push(`${namespace}/${name}`)
        await platform.forget(namespace, name)
      },
    }
    const store: Store = Object.assign(Object.create(this.store), {
      write: (write: Parameters<Store['write']>[0]) => {
        this.beforeWrite()
        return this.store.write(write)
      },
    })
    for (const name of ['get', 'list', 'watch'] as const) Object.assign(store, { [name]: this.store[name].bind(this.store) })
    const { clock, random } = system
    const caches = createCaches({ store, clock, random, log: silent })
    const routing = new RoutingPublisher({
      clock,
      compute: () =>
        routingTable({
          functions: caches.functions.list(),
          revisions: caches.revisions.list(),
          routes: caches.routes.list(),
          replicas: platform.replicas(),
          keyDigests: () => [],
        }),
    })
    routing.gatewayJoined('gateway', null)
    routing.onTable((table) => queueMicrotask(() => routing.gatewayApplied('gateway', table.version)))
    const deps: ControllerDeps = {
      store,
      caches,
      platform: guarded,
      builder: this.builder,
      buildLogs: {
        open: () => ({ line() {}, close: async () => {} }),
        remove: async (namespace, name) => void this.removedLogs.push(`${namespace}/${name}`),
        removeRevision: async () => {},
      },
      blobs: { list: async () => [], remove: async () => {} },
      clock,
      random,
      log: silent,
      events: createEvents({ store: this.store, clock, random, log: silent }),
      salt: Buffer.alloc(32, 1),
      urlOf: (namespace, name) => `http://${name}.${namespace}.localhost:8080`,
      places: { gatewaySocket: '/run/gateway.sock', logFolderOf: (namespace, name) => `/logs/${namespace}/${name}` },
      observe() {},
    }
    const controllers = startControllers(deps, routing)
    this.life = { routing, stop: () => controllers.stop() }
    return this.life
  }

  async restart(): Promise<void> {
    await this.life?.stop()
    this.live()
  }

  key(kind: KindName, name: string) {
    return { resource: resourceOf(kind), namespace: kind === 'Namespace' ? '' : 'default', name }
  }

  async put(input: Resource): Promise<void> {
    const object = prepare(kindNamed(input.kind as KindName), input)
    const key = this.key(input.kind as KindName, input.metadata.name as string)
    await unlessConflict(async () => {
      const before = await this.store.get(key)
      if (before === undefined) return this.store.write({ kind: 'create', key, object: withIdentity(object, system) })
      const metadata = { ...before.metadata, generation: before.metadata.generation + 1 }
      const expected = before.metadata.resourceVersion
      return this.store.write({ kind: 'update', key, object: { ...before, ...object, status: before.status, metadata }, expected })
    })
  }

  async remove(kind: KindName, name: string): Promise<void> {
    await unlessConflict(async () => {
      const object = await this.store.get(this.key(kind, name))
      if (object !== undefined) await requestDelete(this.store, system.clock, object)
    })
  }

  async fn(name = 'hello'): Promise<Stored<FunctionResource> | undefined> {
    return (await this.store.get(this.key('Function', name))) as Stored<FunctionResource> | undefined
  }

  async revisions(): Promise<Stored<RevisionResource>[]> {
    return (await this.store.list({ resource: resourceOf('Revision') })).items as Stored<RevisionResource>[]
  }

  /** Waits until the function's Ready condition of its current generation is as given. */
  async ready(status: string, reason?: string, name = 'hello'): Promise<string> {
    let seen = 'nothing'
    await until(`${name} to be ${status} ${reason ?? ''}`, async () => {
      const fn = await this.fn(name)
      const ready = findCondition(fn?.status?.conditions, 'Ready')
      seen = JSON.stringify({ ready, traffic: fn?.status?.traffic })
      return (
        ready?.status === status &&
        (reason === undefined || ready.reason === reason) &&
        fn?.status?.observedGeneration === fn?.metadata.generation
      )
    }).catch((error) => {
      throw new Error(`${error.message}; last seen ${seen}`)
    })
    return findCondition((await this.fn(name))?.status?.conditions, 'Ready')?.message ?? ''
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.life?.stop()
    await this.store[Symbol.asyncDispose]()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

async function unlessConflict(write: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await write()
      return
    } catch (error) {
      if (!isKaonError(error) || error.code !== 'conflict') throw error
    }
  }
}

async function until(what: string, isSo: () => Promise<boolean> | boolean, withinMs = 8_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 5)))
    if (await isSo()) return
  throw new Error(`Waited ${withinMs} ms for ${what}`)
}

const hello = (inline: string, more: Record<string, unknown> = {}): Resource => ({
  apiVersion: 'kaon.dev/v1',
  kind: 'Function',
  metadata: { name: 'hello', namespace: 'default' },
  spec: { source: { inline }, ...more },
})

test('a function becomes ready: revision, build, replica, table, in that order', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  const fn = await rig.fn()
  assert.deepEqual(fn?.metadata.finalizers, ['kaon.dev/function'])
  const { latestCreatedRevision, latestReadyRevision, traffic, url, replicas } = fn?.status ?? {}
  assert.deepEqual(
    { latestCreatedRevision, latestReadyRevision, traffic, url, replicas },
    {
      latestCreatedRevision: 'hello-00001',
      latestReadyRevision: 'hello-00001',
      traffic: [{ revision: 'hello-00001', percent: 100, latest: true }],
      url: 'http://hello.default.localhost:8080',
      replicas: 1,
    },
  )
  const [routed] = rig.life?.routing.table?.functions ?? []
  assert.equal(routed?.traffic[0]?.percent, 100)
  assert.ok((await rig.store.get(rig.key('Namespace', 'default'))) !== undefined)
})

test('a change of the code makes a new revision, and the old replicas end when the gateway knows', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  await rig.put(hello('two'))
  await until('traffic to move', async () => (await rig.fn())?.status?.latestReadyRevision === 'hello-00002')
  await rig.ready('True')
  await until('the old replica to end', () => rig.platform.replicas().every(({ revision }) => revision?.name === 'hello-00002'))
  assert.equal(rig.platform.replicas().length, 1)
})

test('a change of the scale makes no revision, but replicas', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  await rig.put(hello('one', { scale: { min: 3 } }))
  await until('three replicas', () => rig.platform.replicas().length === 3)
  assert.equal((await rig.revisions()).length, 1)
})

test('a revision that fails to build leaves the old one serving, and the status says both', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  await rig.put(hello('broken'))
  const message = await rig.ready('False', 'BuildFailed')
  assert.match(message, /'hello-00002' is not ready.*Traffic still goes to 'hello-00001'.*handler\.ts:1:1/s)
  assert.deepEqual((await rig.fn())?.status?.traffic, [{ revision: 'hello-00001', percent: 100, latest: true }])
  const builds = rig.builder.builds
  await rig.restart()
  await rig.put(hello('three'))
  await rig.ready('True')
  assert.equal(rig.builder.builds, builds + 1, 'what the author wrote wrongly is not built again')
})

test('a revision that fails to start leaves the old one serving', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  rig.failing.set('hello-00002', new KaonError('handler_invalid', 'The default export is a number.'))
  await rig.put(hello('two'))
  const message = await rig.ready('False', 'HandlerInvalid')
  assert.match(message, /The default export is a number/)
  assert.equal((await rig.fn())?.status?.latestReadyRevision, 'hello-00001')
  await until('nothing to be tried again', () => rig.platform.replicas().every(({ revision }) => revision?.name === 'hello-00001'))
})

test('a missing secret is named, and its coming is enough', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one', { env: [{ name: 'KEY', secret: { name: 'api', key: 'token' } }] }))
  const message = await rig.ready('False', 'MissingReference')
  assert.match(message, /There is no secret 'api'/)
  await rig.put({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'api', namespace: 'default' }, data: { token: 'czNjcjN0' } })
  await rig.ready('True')
  assert.equal(rig.assignments.get('hello-00001')?.env['KEY'], 's3cr3t')
  assert.deepEqual(rig.assignments.get('hello-00001')?.secrets, { 'api.token': 's3cr3t' })
  assert.doesNotMatch(JSON.stringify([await rig.fn(), await rig.revisions()]), /s3cr3t/)
})

test('a change of a secret that is named rolls the replicas without a new revision', async () => {
  await using rig = await Rig.open()
  const secret = (data: string): Resource => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'api', namespace: 'default' },
    data: { token: data },
  })
  await rig.put(secret('b25l'))
  await rig.put(hello('one', { env: [{ name: 'KEY', secret: { name: 'api', key: 'token' } }] }))
  await rig.ready('True')
  await rig.put(secret('dHdv'))
  await until('the new value', () => rig.assignments.get('hello-00001')?.env['KEY'] === 'two')
  assert.equal((await rig.revisions()).length, 1)
})

test('an artifact that is gone from the disk is built again', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  rig.builder.artifacts.clear()
  await rig.put(hello('one', { scale: { min: 2 } }))
  await until('a second replica', () => rig.platform.replicas().filter(({ phase }) => phase === 'ready').length === 2)
  assert.equal(rig.builder.builds, 2)
})

test('a function that is deleted leaves no revision, no replica and no log', async () => {
  await using rig = await Rig.open()
  await rig.put(hello('one'))
  await rig.ready('True')
  await rig.remove('Function', 'hello')
  await until('the function to be gone', async () => (await rig.fn()) === undefined)
  assert.deepEqual(await rig.revisions(), [])
  assert.deepEqual(rig.platform.replicas(), [])
  assert.deepEqual([...new Set(rig.forgotten)], ['default/hello'])
  assert.deepEqual([...new Set(rig.removedLogs)], ['default/hello'])
})

test('a namespace takes everything in it along', async () => {
  await using rig = await Rig.open()
  await rig.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'some', namespace: 'default' }, data: {} })
  await rig.put(hello('one'))
  await rig.ready('True')
  await rig.remove('Namespace', 'default')
  await until(
    'everything to be gone',
    async () => (await rig.fn()) === undefined && (await rig.store.get(rig.key('ConfigMap', 'some'))) === undefined,
  )
})

test('old revisions are collected: the last ten stay, and those that are named', async () => {
  await using rig = await Rig.open()
  const traffic = [
    { revision: 'latest', percent: 100 },
    { revision: 'hello-00001', tag: 'first' },
  ]
  for (let number = 1; number <= 13; number++) {
    await rig.put(hello(`v${number}`, number === 1 ? {} : { traffic }))
    await until(
      `revision ${number}`,
      async () => (await rig.fn())?.status?.latestReadyRevision === `hello-${String(number).padStart(5, '0')}`,
    )
  }
  await until('the old ones to go', async () => (await rig.revisions()).length === 11)
  const names = (await rig.revisions()).map(({ metadata }) => metadata.name).sort()
  assert.deepEqual([names[0], names[1], names.at(-1)], ['hello-00001', 'hello-00004', 'hello-00013'])
})

test('what restarts in the middle of its work comes to the same end, wherever that was', async () => {
  for (let failAt = 1; failAt <= 24; failAt++) {
    await using rig = await Rig.open()
    await rig.put(hello('one'))
    await rig.ready('True')
    let calls = 0
    let isDown = false
    const count = () => {
      if (isDown || ++calls === failAt) {
        isDown = true
        throw new KaonError('store_unavailable', 'killed here')
      }
    }
    rig.beforeWrite = count
    rig.beforePlatform = count
    rig.builder.beforeCall = count
    await rig.put(hello('two'))
    await until('the kill or the end', async () => isDown || (await rig.fn())?.status?.latestReadyRevision === 'hello-00002')
    rig.beforeWrite = rig.beforePlatform = rig.builder.beforeCall = () => {}
    await rig.restart()
    await rig.ready('True')
    const { latestReadyRevision, traffic } = (await rig.fn())?.status ?? {}
    assert.equal(latestReadyRevision, 'hello-00002', `killed at call ${failAt}`)
    assert.deepEqual(traffic, [{ revision: 'hello-00002', percent: 100, latest: true }])
    assert.deepEqual((await rig.revisions()).map(({ metadata }) => metadata.name).sort(), ['hello-00001', 'hello-00002'])
    await until('one replica', () => rig.platform.replicas().length === 1 && rig.platform.replicas()[0]?.revision?.name === 'hello-00002')
  }
})
