import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { syncPath, syncTree } from '../base/sync-files.ts'
import type { System } from '../base/system.ts'
import { type ArtifactManifest, artifactContentsFile, artifactManifestFile } from '../model/artifact.ts'
import { hashFile, listTree, type TreeEntry, treeLines } from './tree.ts'

export type FoundArtifact = { manifest: ArtifactManifest; artifactFolder: string }

export type ArtifactStoreDeps = Pick<System, 'files' | 'clock' | 'random'> & { folder: string }

/** Artifacts as folders `<hex of the digest>`, complete from the moment they are there; their files are read-only. */
export class ArtifactStore {
  readonly #deps: ArtifactStoreDeps

  constructor(deps: ArtifactStoreDeps) {
    this.#deps = deps
  }

  /** The artifact if it is there and whole: every file with its size, and the handler and its code cache with their checksums. */
  async find(digest: string): Promise<FoundArtifact | undefined> {
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) return undefined
    const artifactFolder = this.#folderOf(digest)
    try {
      const manifest = JSON.parse(await this.#deps.files.readFile(join(artifactFolder, artifactManifestFile), 'utf8')) as ArtifactManifest
      const contents = await this.#deps.files.readFile(join(artifactFolder, artifactContentsFile), 'utf8')
      const isOurs = manifest.digest === digest && digestOf(contents) === digest && contents.startsWith(`${identityLine(manifest)}\n`)
      return isOurs && (await this.#isWhole(artifactFolder, manifest, contents)) ? { manifest, artifactFolder } : undefined
    } catch {
      return undefined
    }
  }

  /** Keeps it from the collector for a while. */
  async touch(digest: string): Promise<void> {
    const now = this.#deps.clock.now() / 1000
    await this.#deps.files.utimes(join(this.#folderOf(digest), artifactManifestFile), now, now)
  }

  /** Makes an artifact of a filled folder, which is moved. The manifest is written last and the folder gets its name when it is on the disk. */
  async publish(folder: string, fields: Omit<ArtifactManifest, 'version' | 'digest'>): Promise<FoundArtifact> {
    const { files, random } = this.#deps
    const entries = (await listTree(files, folder)).filter((entry) => entry.path !== fields.codeCache?.file)
    const contents = [identityLine({ version: 1, ...fields }), ...treeLines(entries)].map((line) => `${line}\n`).join('')
    const digest = digestOf(contents)
    const there = await this.find(digest)
    if (there !== undefined) {
      await this.touch(digest)
      return there
    }
    const manifest: ArtifactManifest = { version: 1, digest, ...fields }
    await files.writeFile(join(folder, artifactContentsFile), contents, { flag: 'wx' })
    await this.#protect(folder, entries, fields.codeCache?.file)
    await syncTree(files, folder)
    await files.writeFile(join(folder, artifactManifestFile), `${JSON.stringify(manifest, null, 2)}\n`, { flag: 'wx', mode: 0o444 })
    await syncPath(files, join(folder, artifactManifestFile))
    await syncPath(files, folder)
    const artifactFolder = this.#folderOf(digest)
    // A damaged one makes room first.
    if (files.existsSync(artifactFolder)) await this.#discard(artifactFolder, random.uuid())
    await files.rename(folder, artifactFolder)
    await syncPath(files, this.#deps.folder)
    return { manifest, artifactFolder }
  }

  /** Removes what is not among the digests and was neither made nor asked for since `before`, ms since 1970. */
  async collect(usedDigests: ReadonlySet<string>, before: number): Promise<void> {
    const { files, random } = this.#deps
    for (const name of await files.readdir(this.#deps.folder)) {
      if (usedDigests.has(`sha256:${name}`)) continue
      const folder = join(this.#deps.folder, name)
      const stat = (await statIfThere(files, join(folder, artifactManifestFile))) ?? (await statIfThere(files, folder))
      if (stat !== undefined && stat.mtimeMs < before) await this.#discard(folder, random.uuid())
    }
  }

  #folderOf(digest: string): string {
    return join(this.#deps.folder, digest.slice('sha256:'.length))
  }

  async #isWhole(folder: string, manifest: ArtifactManifest, contents: string): Promise<boolean> {
    const { files } = this.#deps
    const sizes = contents.split('\n').flatMap((line) => {
      const [, bytes, sha256, path] = /^file \d+ (\d+) (\w+) ("[\s\S]*")$/.exec(line) ?? []
      return path === undefined ? [] : [{ bytes: Number(bytes), sha256, path: JSON.parse(path) as string }]
    })
    for (const { path, bytes } of sizes) if ((await files.lstat(join(folder, path))).size !== bytes) return false
    const entry = sizes.find(({ path }) => path === manifest.entry)
    if (entry === undefined || (await hashFile(files, join(folder, entry.path), entry.bytes)) !== entry.sha256) return false
    const { codeCache } = manifest
    return codeCache === undefined || `sha256:${await hashFile(files, join(folder, codeCache.file), 0)}` === codeCache.digest
  }

  /** Files are read-only; folders are not, so that whoever owns the data folder can delete it with `rm -r`. */
  async #protect(folder: string, entries: readonly TreeEntry[], codeCache: string | undefined): Promise<void> {
    const { files } = this.#deps
    for (const entry of entries) {
      if (entry.kind === 'file') await files.chmod(join(folder, entry.path), entry.executable ? 0o555 : 0o444)
      if (entry.kind === 'directory') await files.chmod(join(folder, entry.path), 0o755)
    }
    for (const path of [artifactContentsFile, codeCache]) if (path !== undefined) await files.chmod(join(folder, path), 0o444)
  }

  /** Out of its place at once, since nobody may find it half removed. */
  async #discard(folder: string, id: string): Promise<void> {
    const { files } = this.#deps
    const doomed = join(this.#deps.folder, `removed-${id}`)
    await files.rename(folder, doomed)
    await files.rm(doomed, { recursive: true, force: true })
  }
}

/** What identifies an artifact besides its files, always in the same order. */
function identityLine({ version, runtime, entry, format, exportName, handlerFile, filesFolder }: Omit<ArtifactManifest, 'digest'>): string {
  return JSON.stringify({ version, runtime, entry, format, exportName, handlerFile, filesFolder })
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

async function statIfThere(files: Pick<System['files'], 'stat'>, path: string) {
  return files.stat(path).catch(() => undefined)
}
