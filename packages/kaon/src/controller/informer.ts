import { isKaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { backoffMs } from '../base/retry.ts'
import type { Clock, Random } from '../base/system.ts'
import type { Resource, Stored } from '../model/metadata.ts'
import type { ObjectKey, Store } from '../stores/store.ts'

/** One object came, changed or went. */
export type Change<R extends Resource = Resource> = { key: ObjectKey; before?: Stored<R>; after?: Stored<R> }

export type InformerDeps = {
  store: Pick<Store, 'list' | 'watch'>
  clock: Pick<Clock, 'sleep'>
  random: Pick<Random, 'fraction'>
  log: Log
}

/**
 * A copy of all objects of one kind, kept current: lists, watches on from there, and lists again when the watch breaks or its history is gone.
 * The copy may lag behind the store; who writes by it must compare and set.
 */
export class Informer<R extends Resource = Resource> {
  readonly #deps: InformerDeps
  /** Name of the kind in the store. */
  readonly resource: string
  readonly #objects = new Map<string, Stored<R>>()
  readonly #listeners: ((change: Change<R>) => void)[] = []
  readonly #synced = Promise.withResolvers<void>()

  constructor(resource: string, deps: InformerDeps) {
    this.resource = resource
    this.#deps = deps
  }

  /** When the first list is in. */
  get synced(): Promise<void> {
    return this.#synced.promise
  }

  get(namespace: string, name: string): Stored<R> | undefined {
    return this.#objects.get(`${namespace}/${name}`)
  }

  list(namespace?: string): Stored<R>[] {
    const all = [...this.#objects.values()]
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace)
  }

  onChange(listener: (change: Change<R>) => void): void {
    this.#listeners.push(listener)
  }

  /** Runs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#watchOn(await this.#relist(), signal, () => {
          failures = 0
        })
      } catch (error) {
        if (signal.aborted) return
        if (!isKaonError(error) || error.code !== 'expired')
          this.#deps.log.warn('A watch broke; listing again.', { resource: this.resource, error: String(error) })
      }
      failures++
      await this.#deps.clock.sleep(backoffMs(failures, { firstMs: 20, maxMs: 5_000 }, this.#deps.random), signal).catch(() => {})
    }
  }

  async #relist(): Promise<string> {
    const { items, resourceVersion } = await this.#deps.store.list({ resource: this.resource })
    const gone = new Set(this.#objects.keys())
    for (const item of items as Stored<R>[]) {
      gone.delete(cacheKey(item))
      this.#put(item)
    }
    for (const key of gone) this.#remove(key)
    this.#synced.resolve()
    return resourceVersion
  }

  async #watchOn(after: string, signal: AbortSignal, alive: () => void): Promise<void> {
    for await (const event of this.#deps.store.watch({ resource: this.resource, after, signal })) {
      alive()
      if (event.type === 'deleted') this.#remove(`${event.key.namespace}/${event.key.name}`)
      else if (event.type !== 'bookmark') this.#put(event.object as Stored<R>)
    }
  }

  #put(object: Stored<R>): void {
    const key = cacheKey(object)
    const before = this.#objects.get(key)
    if (before?.metadata.resourceVersion === object.metadata.resourceVersion) return
    this.#objects.set(key, object)
    this.#tell(key, before, object)
  }

  #remove(key: string): void {
    const before = this.#objects.get(key)
    if (before === undefined) return
    this.#objects.delete(key)
    this.#tell(key, before, undefined)
  }

  #tell(key: string, before: Stored<R> | undefined, after: Stored<R> | undefined): void {
    const [namespace, name] = key.split('/') as [string, string]
    const change: Change<R> = {
      key: { resource: this.resource, namespace, name },
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    }
    for (const listener of this.#listeners) listener(change)
  }
}

function cacheKey(object: Stored): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`
}
