import { createHash } from 'node:crypto'
import { SourceMap } from 'node:module'
import { join } from 'node:path'
import esbuildPackage from 'esbuild/package.json' with { type: 'json' }
import { KaonError } from '../../base/errors.ts'
import type { ArtifactManifest } from '../../model/artifact.ts'
import type { Runtime, RuntimeBuild } from '../runtime.ts'
import { type Bundle, bundleHandler } from './build-bundle.ts'
import { type InstallerDeps, installDependencies } from './build-dependencies.ts'
import { type Bundler, createBundler } from './build-esbuild.ts'
import { findHandler } from './build-handler.ts'
import { findNativePackages } from './build-native.ts'
import { compileModule } from './module-wrapper.ts'

/** Raise it when the same source would build to something else. */
const version = 1
const filesFolder = 'files'

/** Names of a source folder that a function has no use for. */
const leftOut = ['.git', '.npmrc']

/**
 * Builds JavaScript and TypeScript: dependencies by npm, then one bundle with its source map and V8's code cache. In the artifact the author's
 * files stand in `files/`, the bundle among them where the handler was; node_modules only where a package cannot be bundled.
 */
export function createNodeRuntime(deps: InstallerDeps): Runtime {
  const bundler = createBundler(deps)
  return {
    name: 'node',
    buildVersion: `${version} esbuild ${esbuildPackage.version} node ${process.versions.node.split('.')[0]} ${process.platform} ${process.arch}`,
    inlineFile: 'handler.ts',
    build: (build) => buildFunction(build, bundler, deps),
    [Symbol.asyncDispose]: () => bundler[Symbol.asyncDispose](),
  }
}

async function buildFunction(
  build: RuntimeBuild,
  bundler: Bundler,
  deps: InstallerDeps,
): Promise<Omit<ArtifactManifest, 'version' | 'digest'>> {
  const { files } = deps
  const place = await findHandler(files, build.sourceFolder, build.spec.handler)
  await installDependencies(build, deps)
  build.signal.throwIfAborted()
  const native = await findNativePackages(files, join(build.sourceFolder, 'node_modules'))
  const startedAt = deps.clock.monotonic()
  const bundle = await bundleHandler(
    { folder: build.sourceFolder, handlerFile: place.file, external: native, log: build.log },
    { bundler, files },
  )
  build.log(`Bundle: ${place.file}, ${Buffer.byteLength(bundle.code)} bytes, ${Math.round(deps.clock.monotonic() - startedAt)} ms.`)
  build.signal.throwIfAborted()
  await keepFiles(build, native, deps)
  const entry = `${filesFolder}/${bundle.file}`
  const codeCache = await writeBundle(bundle, join(build.outputFolder, entry), deps)
  return {
    runtime: 'node',
    entry,
    format: bundle.format,
    exportName: place.exportName,
    handlerFile: place.file,
    filesFolder,
    ...(codeCache === undefined ? {} : { codeCache: { file: `${entry}.cache`, ...codeCache } }),
  }
}

/** The author's folder becomes the artifact's, without what the bundle holds already. */
async function keepFiles(build: RuntimeBuild, native: string[], { files }: Pick<InstallerDeps, 'files'>): Promise<void> {
  const kept = join(build.outputFolder, filesFolder)
  const modules = join(build.sourceFolder, 'node_modules')
  if (native.length > 0) {
    build.log(`Packages with machine code stay beside the bundle: ${native.join(', ')}.`)
    const skipped = [join(modules, '.bin'), join(modules, '.package-lock.json'), join(modules, '.cache')]
    await files.cp(modules, join(build.outputFolder, 'node_modules'), {
      recursive: true,
      dereference: true,
      filter: (path) => !skipped.includes(path),
    })
  }
  for (const name of [...leftOut, 'node_modules']) await files.rm(join(build.sourceFolder, name), { recursive: true, force: true })
  await files.rename(build.sourceFolder, kept)
  if (native.length > 0) await files.rename(join(build.outputFolder, 'node_modules'), join(kept, 'node_modules'))
}

/** Writes the bundle, its map and the code cache; what the manifest says of the cache. */
async function writeBundle(bundle: Bundle, path: string, { files }: Pick<InstallerDeps, 'files'>) {
  for (const suffix of ['', '.map', '.cache']) await files.rm(path + suffix, { recursive: true, force: true })
  await files.writeFile(path, bundle.code, { flag: 'wx' })
  await files.writeFile(`${path}.map`, bundle.map, { flag: 'wx' })
  if (bundle.format === 'module') return undefined
  const cache = compile(bundle).createCachedData()
  await files.writeFile(`${path}.cache`, cache, { flag: 'wx' })
  return { node: `${process.versions.node} ${process.arch}`, digest: `sha256:${createHash('sha256').update(cache).digest('hex')}` }
}

/** V8 knows a few early errors that esbuild does not, as in a regular expression. */
function compile(bundle: Bundle) {
  try {
    return compileModule(bundle.code, bundle.file)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    const line = Number(/:(\d+)\n/.exec(error.stack ?? '')?.[1] ?? 1)
    const entry = new SourceMap(JSON.parse(bundle.map)).findEntry(line - 1, 1_000)
    const place = 'originalSource' in entry ? `${entry.originalSource}:${entry.originalLine + 1}: ` : ''
    throw new KaonError('build_failed', `${place}${error.message}`)
  }
}
