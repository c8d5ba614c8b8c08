import { join } from 'node:path'
import type { Log } from '../base/log.ts'
import type { System } from '../base/system.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { Builder } from '../model/builder.ts'
import type { placesOf } from './data-folder.ts'

export type LazyBuilderDeps = {
  system: System
  blobs: BlobStore
  log: Log
  environment: Readonly<Record<string, string>>
  places: Pick<ReturnType<typeof placesOf>, 'artifacts' | 'cache' | 'builds'>
}

/** The builder, loaded when first used: bundler and archive readers are not needed for the platform's first answer. */
export function createLazyBuilder({ system, blobs, log, environment, places }: LazyBuilderDeps): Builder {
  let loaded: Promise<Builder> | undefined
  const load = async () => {
    const [{ createBuilder }, { createRuntimes }] = await Promise.all([
      import('../builder/create-builder.ts'),
      import('../runtimes/index.ts'),
    ])
    const runtimes = createRuntimes({ ...system, environment })
    const folders = { artifacts: places.artifacts, cache: places.cache, work: join(places.cache, 'work') }
    return createBuilder({ ...system, blobs, log, environment, runtimes, folders })
  }
  const builder = () => (loaded ??= load())
  return {
    build: async (request) => (await builder()).build(request),
    find: async (digest) => (await builder()).find(digest),
    collect: async (used) => (await builder()).collect(used),
    async [Symbol.asyncDispose]() {
      if (loaded !== undefined) await (await loaded)[Symbol.asyncDispose]()
    },
  }
}
