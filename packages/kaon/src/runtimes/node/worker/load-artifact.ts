import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { KaonError } from '../../../base/errors.ts'
import type { ArtifactManifest } from '../../../model/artifact.ts'
import { compileModule } from '../module-wrapper.ts'
import { firstPlace } from './source-stacks.ts'

/** Runs the artifact's code and returns what it exports. Throws `handler_missing`, or `start_failed` with the author's place. */
export async function loadArtifact(folder: string, manifest: ArtifactManifest): Promise<unknown> {
  const entry = join(folder, manifest.entry)
  if (!existsSync(entry))
    throw new KaonError('handler_missing', `The artifact has no file '${manifest.entry}' for the handler '${manifest.handlerFile}'.`)
  try {
    return manifest.format === 'module' ? await import(pathToFileURL(entry).href) : runCommonJs(entry, readCache(folder, manifest))
  } catch (cause) {
    throw startFailed(`'${manifest.handlerFile}' failed while it was loaded`, cause)
  }
}

function runCommonJs(entry: string, cache: Buffer | undefined): unknown {
  const script = compileModule(readFileSync(entry, 'utf8'), entry, cache)
  const module = { exports: {} as unknown, id: entry, filename: entry, loaded: false, children: [], paths: [] }
  const wrapped = script.runInThisContext() as (...parameters: unknown[]) => void
  wrapped.call(module.exports, module.exports, createRequire(entry), module, entry, dirname(entry))
  module.loaded = true
  return module.exports
}

/** V8 itself rejects a cache that was made by another version or with other flags; then the code is simply compiled. */
function readCache(folder: string, manifest: ArtifactManifest): Buffer | undefined {
  if (manifest.codeCache === undefined) return undefined
  const path = join(folder, manifest.codeCache.file)
  return existsSync(path) ? readFileSync(path) : undefined
}

/** A failed start in one sentence, with the first place of the author's code that the stack names. */
export function startFailed(what: string, cause: unknown): KaonError {
  const place = firstPlace(cause)
  const said = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
  return new KaonError('start_failed', `${what}: ${said.slice(0, 2_000)}${place === undefined ? '' : ` (${place})`}`, { cause })
}
