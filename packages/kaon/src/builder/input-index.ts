import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { System } from '../base/system.ts'
import type { RevisionTemplate } from '../model/function.ts'
import { type TreeEntry, treeLines } from './tree.ts'

/** Raise it when the builder itself would make something else of the same source. */
const builderVersion = 1

/** The digest of all that decides what is built: the source tree, the part of the spec that matters to a build, and what builds it. */
export function inputDigest(tree: readonly TreeEntry[], spec: RevisionTemplate, buildVersion: string): string {
  const { commands = [], dependencies, scripts } = spec.build
  const relevant = [builderVersion, buildVersion, spec.runtime, spec.handler, spec.dialect, commands, dependencies, scripts]
  const hash = createHash('sha256').update(`${JSON.stringify(relevant)}\n`)
  for (const line of treeLines(tree)) hash.update(`${line}\n`)
  return hash.digest('hex')
}

/** Which artifact an input was built to. A hint: it may be lost at any time, and what it names may be gone. */
export class InputIndex {
  readonly #files: System['files']
  readonly #random: System['random']
  readonly #folder: string

  constructor(deps: Pick<System, 'files' | 'random'> & { folder: string }) {
    this.#files = deps.files
    this.#random = deps.random
    this.#folder = deps.folder
  }

  /** The digest of the artifact; undefined when none is known. */
  async find(input: string): Promise<string | undefined> {
    return this.#files.readFile(join(this.#folder, input), 'utf8').catch(() => undefined)
  }

  async remember(input: string, digest: string): Promise<void> {
    const path = join(this.#folder, input)
    const draft = `${path}.${this.#random.uuid()}`
    await this.#files.mkdir(this.#folder, { recursive: true, mode: 0o700 })
    await this.#files.writeFile(draft, digest, { mode: 0o600 })
    await this.#files.rename(draft, path)
  }

  /** Forgets inputs whose artifact is gone. */
  async collect(exists: (digest: string) => boolean): Promise<void> {
    for (const name of await this.#files.readdir(this.#folder).catch(() => [])) {
      const digest = await this.find(name)
      if (digest === undefined || !exists(digest)) await this.#files.rm(join(this.#folder, name), { force: true })
    }
  }
}
