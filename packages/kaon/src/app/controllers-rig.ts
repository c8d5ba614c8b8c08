import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isKaonError, KaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { createCaches } from '../controller/caches.ts'
import { type ControllerDeps, startControllers } from '../controller/controllers.ts'
import { createEvents } from '../controller/events.ts'
import { requestDelete, resourceOf, withIdentity } from '../controller/objects.ts'
import { routingTable } from '../controller/routing.ts'
import { RoutingPublisher } from '../controller/routing-publisher.ts'
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
import { createSystem } from './system.ts'

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
export class Rig implements AsyncDisposable {
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

export async function until(what: string, isSo: () => Promise<boolean> | boolean, withinMs = 8_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 5)))
    if (await isSo()) return
  throw new Error(`Waited ${withinMs} ms for ${what}`)
}

export const hello = (inline: string, more: Record<string, unknown> = {}): Resource => ({
  apiVersion: 'kaon.dev/v1',
  kind: 'Function',
  metadata: { name: 'hello', namespace: 'default' },
  spec: { source: { inline }, ...more },
})
