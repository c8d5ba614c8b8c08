import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { KaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { System } from '../base/system.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import { createFolderBlobStore } from '../blobs/folder.ts'
import { type BuildLogs, createBuildLogs } from '../builder/build-log.ts'
import type { Builder } from '../model/builder.ts'
import type { LocalPlatform } from '../platforms/local/connection.ts'
import { createLocalPlatform } from '../platforms/local/local.ts'
import { openSqliteStore } from '../stores/sqlite.ts'
import type { Store } from '../stores/store.ts'
import { bundleProcessor } from './bundle-processor.ts'
import type { PlatformConfig } from './config.ts'
import { placesOf } from './data-folder.ts'
import { createLazyBuilder } from './lazy-builder.ts'

export type PlatformStateOptions = {
  config: PlatformConfig
  /** The file of the store's thread, where it was bundled. */
  storeThread?: URL
  /** What of the environment builds may see. */
  buildEnvironment: Readonly<Record<string, string>>
  /** The store is gone for good: the process should end and be started anew. */
  onStoreLost(error: KaonError): void
}

/** What the control plane works on: everything in the data folder, and the replicas. */
export type PlatformState = {
  store: Store
  /** Why the store takes no writes now; undefined when it does. */
  storeRefusal(): KaonError | undefined
  blobs: BlobStore
  builder: Builder
  buildLogs: BuildLogs
  platform: LocalPlatform
  salt: Buffer
  /** SHA-256 of the gateways' token. */
  gatewayTokenDigest: Buffer
}

/** Opens it all; replicas of the life before are expected from here on. */
export async function openPlatformState(options: PlatformStateOptions, system: System, log: Log): Promise<PlatformState> {
  const { config, storeThread, onStoreLost } = options
  const { clock, random, files, processes } = system
  const { dataFolder, runFolder, poolSize } = config
  const places = placesOf(config)
  const thread = storeThread === undefined ? {} : { thread: storeThread }
  let storeRefusal: KaonError | undefined
  const onWritable = (refusal: KaonError | undefined) => {
    storeRefusal = refusal
    if (refusal === undefined) log.info('The store takes writes again.')
    else log.warn('The store takes no writes now.', { error: refusal })
  }
  const [store, processor, salt, gatewayToken] = await Promise.all([
    openSqliteStore({ file: places.store, clock, onLost: onStoreLost, onWritable, ...thread }),
    bundleProcessor({ cacheFolder: join(places.cache, 'processor'), files }),
    files.readFile(places.salt),
    files.readFile(places.gatewayToken, 'utf8'),
  ])
  const { controlSocket } = places
  const blobs = createFolderBlobStore({ folder: places.blobs, files, clock, random })
  return {
    store,
    storeRefusal: () => storeRefusal,
    blobs,
    builder: createLazyBuilder({ system, blobs, log, environment: options.buildEnvironment, places }),
    buildLogs: createBuildLogs({ folder: places.builds, files, clock }),
    platform: await createLocalPlatform({
      clock,
      files,
      processes,
      random,
      dataFolder,
      runFolder,
      log,
      processor,
      controlSocket,
      poolSize,
    }),
    salt,
    gatewayTokenDigest: createHash('sha256').update(gatewayToken.trim()).digest(),
  }
}
