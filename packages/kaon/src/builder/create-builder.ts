import { join } from 'node:path'
import { asDiskError } from '../base/disk-errors.ts'
import { KaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { createSlots } from '../base/slots.ts'
import type { System } from '../base/system.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { Builder, BuildRequest, BuildResult } from '../model/builder.ts'
import { runtimeNamed } from '../runtimes/index.ts'
import type { Runtime } from '../runtimes/runtime.ts'
import { ArtifactStore, type FoundArtifact } from './artifact-store.ts'
import { fetchSource } from './fetch-source.ts'
import { InputIndex, inputDigest } from './input-index.ts'
import { removeReadOnly } from './remove-read-only.ts'
import { runBuildCommands } from './run-build-commands.ts'
import { createSharedTasks } from './shared-tasks.ts'
import { listTree } from './tree.ts'

/** Of one build, from the source to the artifact. */
const deadlineMs = 15 * 60_000
/** npm and bundling take a core each. */
const buildsAtOnce = 4
const unusedArtifactMs = 3_600_000
const unusedCacheMs = 7 * 86_400_000

export type BuilderDeps = System & {
  blobs: Pick<BlobStore, 'get'>
  /** The builder ends them when it is disposed of. */
  runtimes: readonly Runtime[]
  /** All on one file system. `cache` is shared with others: the builder keeps to `inputs` and `dependencies` in it. */
  folders: { artifacts: string; work: string; cache: string }
  log: Log
  /** All that git, npm and build commands see of the environment: PATH, HOME, npm's settings, proxies. */
  environment: Readonly<Record<string, string>>
}

/** Builds into folders of this machine. */
export function createBuilder(deps: BuilderDeps): Builder {
  return new FolderBuilder(deps)
}

class FolderBuilder implements Builder {
  readonly #deps: BuilderDeps
  readonly #artifacts: ArtifactStore
  readonly #inputs: InputIndex
  readonly #tasks = createSharedTasks<FoundArtifact & { cached: boolean }>()
  readonly #slots = createSlots(buildsAtOnce)
  readonly #closing = new AbortController()
  readonly #workFolders = new Set<string>()
  readonly #running = new Set<Promise<unknown>>()
  #prepared: Promise<void> | undefined

  constructor(deps: BuilderDeps) {
    this.#deps = deps
    this.#artifacts = new ArtifactStore({ ...deps, folder: deps.folders.artifacts })
    this.#inputs = new InputIndex({ ...deps, folder: join(deps.folders.cache, 'inputs') })
  }

  async build(request: BuildRequest): Promise<BuildResult> {
    const { clock } = this.#deps
    const late = new AbortController()
    const minutes = deadlineMs / 60_000
    const timer = clock.after(deadlineMs, () => late.abort(new KaonError('timed_out', `The build took longer than ${minutes} minutes.`)))
    const signal = AbortSignal.any([request.signal, this.#closing.signal, late.signal])
    try {
      return await this.#buildFromSource({ ...request, signal })
    } catch (error) {
      signal.throwIfAborted()
      throw asDiskError(error)
    } finally {
      timer.cancel()
    }
  }

  find(digest: string): Promise<FoundArtifact | undefined> {
    return this.#artifacts.find(digest)
  }

  async collect(usedDigests: ReadonlySet<string>): Promise<void> {
    await this.#prepare()
    const { files, clock, folders } = this.#deps
    await this.#artifacts.collect(usedDigests, clock.now() - unusedArtifactMs)
    await this.#inputs.collect((digest) => files.existsSync(join(folders.artifacts, digest.replace(/^sha256:/, ''))))
    for (const name of await files.readdir(folders.work)) {
      const folder = join(folders.work, name)
      // No other platform uses this data folder: what no build of ours uses was left behind by a crash.
      if (!this.#workFolders.has(folder)) await removeReadOnly(files, folder)
    }
    const dependencies = join(folders.cache, 'dependencies')
    for (const name of await files.readdir(dependencies)) {
      const folder = join(dependencies, name)
      const stat = await files.stat(folder).catch(() => undefined)
      if (stat !== undefined && clock.now() - stat.mtimeMs > unusedCacheMs) await files.rm(folder, { recursive: true, force: true })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new KaonError('server_unreachable', 'The platform is stopping; the build goes on when it is back.'))
    await Promise.allSettled(this.#running)
    for (const runtime of this.#deps.runtimes) await runtime[Symbol.asyncDispose]()
  }

  #prepare(): Promise<void> {
    this.#prepared ??= (async () => {
      const { artifacts, work, cache } = this.#deps.folders
      for (const folder of [artifacts, work, cache, join(cache, 'dependencies')])
        await this.#deps.files.mkdir(folder, { recursive: true, mode: 0o700 })
    })().catch((error) => {
      this.#prepared = undefined
      throw error
    })
    return this.#prepared
  }

  async #buildFromSource(request: BuildRequest): Promise<BuildResult> {
    const { files, random, folders } = this.#deps
    await this.#prepare()
    const runtime = runtimeNamed(this.#deps.runtimes, request.spec.runtime)
    const workFolder = join(folders.work, random.uuid())
    this.#workFolders.add(workFolder)
    let isHandedOver = false
    try {
      await files.mkdir(workFolder, { mode: 0o700 })
      const { spec, log, signal } = request
      const { folder, source } = await fetchSource({ spec, inlineFile: runtime.inlineFile, workFolder, log, signal }, this.#deps)
      const tree = await listTree(files, folder)
      log(`Source: ${source}, ${tree.filter((entry) => entry.kind === 'file').length} files.`)
      const input = inputDigest(tree, spec, runtime.buildVersion)
      const key = spec.build.cache ? input : workFolder
      const artifact = await this.#tasks.join(key, request, async (write, stop) => {
        isHandedOver = true
        const made = this.#artifactOf(input, { ...request, log: write, signal: stop }, runtime, { folder, workFolder })
        return this.#tracked(made.finally(() => this.#removeWork(workFolder)))
      })
      log(`Artifact: ${artifact.manifest.digest}${artifact.cached ? ', as built before' : ''}.`)
      return { ...artifact, source }
    } finally {
      if (!isHandedOver) await this.#removeWork(workFolder)
    }
  }

  /** The artifact of the input: the one that is there, or a new one. */
  async #artifactOf(input: string, request: BuildRequest, runtime: Runtime, source: { folder: string; workFolder: string }) {
    const { spec } = request
    const known = spec.build.cache ? await this.#inputs.find(input) : undefined
    const there = known === undefined ? undefined : await this.#artifacts.find(known)
    if (there !== undefined) {
      await this.#artifacts.touch(there.manifest.digest)
      return { ...there, cached: true }
    }
    const made = await this.#slots.run(request.signal, () => this.#make(request, runtime, source))
    await this.#inputs.remember(input, made.manifest.digest)
    return { ...made, cached: false }
  }

  async #make(request: BuildRequest, runtime: Runtime, source: { folder: string; workFolder: string }): Promise<FoundArtifact> {
    const { files, folders } = this.#deps
    const { spec, log, signal } = request
    await runBuildCommands(spec.build.commands ?? [], { folder: source.folder, log, signal }, this.#deps)
    const outputFolder = join(source.workFolder, 'artifact')
    await files.mkdir(outputFolder)
    const cacheFolder = join(folders.cache, 'dependencies')
    const fields = await runtime.build({ sourceFolder: source.folder, outputFolder, cacheFolder, spec, log, signal })
    signal.throwIfAborted()
    return this.#artifacts.publish(outputFolder, fields)
  }

  /** What `asyncDispose` waits for. */
  async #tracked<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work)
    try {
      return await work
    } finally {
      this.#running.delete(work)
    }
  }

  async #removeWork(folder: string): Promise<void> {
    await removeReadOnly(this.#deps.files, folder)
    this.#workFolders.delete(folder)
  }
}
