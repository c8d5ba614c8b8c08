import { posix } from 'node:path'
import type { BuildFailure, BuildOptions, BuildResult, Message } from 'esbuild'
import type { Files } from '../../base/system.ts'
import type { BuildLog } from '../runtime.ts'
import type { Bundler } from './build-esbuild.ts'
import { buildFailed, describeMessage } from './build-messages.ts'
import { importMetaFactory, importMetaName, importMetaPlugin, sdkPlugin } from './build-plugins.ts'

/** The bundle stands where the handler stood, under a name that no author's file has, so that `__dirname` and relative paths fit. */
const bundleName = '.kaon-handler'

export type Bundle = {
  format: 'commonjs' | 'module'
  /** Path of the bundle relative to the author's folder. */
  file: string
  code: string
  /** Source map with the sources' text; its paths are relative to the bundle's folder. */
  map: string
}

export type BundleInput = { folder: string; handlerFile: string; external: readonly string[]; log: BuildLog }

/**
 * The handler and all it imports as one CommonJS file, or as an ES module where there is a top-level await. Nothing is minified, so functions
 * and classes keep their names without esbuild's `keepNames`, which would cost a `defineProperty` for each closure that a handler makes.
 */
export async function bundleHandler(
  input: BundleInput,
  deps: { bundler: Bundler; files: Pick<Files, 'readFile' | 'existsSync'> },
): Promise<Bundle> {
  try {
    return await bundleAs('commonjs', input, deps)
  } catch (error) {
    const messages = messagesOf(error)
    const others = messages.filter((message) => !needsModuleFormat(message))
    if (others.length > 0) throw buildFailed(others)
    return await bundleAs('module', input, deps).catch((failure) => {
      throw buildFailed(messagesOf(failure))
    })
  }
}

async function bundleAs(
  format: Bundle['format'],
  input: BundleInput,
  deps: { bundler: Bundler; files: Pick<Files, 'readFile' | 'existsSync'> },
): Promise<Bundle> {
  const folder = posix.dirname(input.handlerFile)
  const depth = folder === '.' ? 0 : folder.split('/').length
  const result = await deps.bundler.build({
    ...options,
    absWorkingDir: input.folder,
    entryPoints: [`./${input.handlerFile}`],
    outfile: posix.join(input.folder, folder, bundleName + extensionOf(format)),
    format: format === 'commonjs' ? 'cjs' : 'esm',
    banner: { js: format === 'commonjs' ? commonjsBanner(depth) : moduleBanner(depth) },
    external: ['*.node', ...input.external.flatMap((name) => [name, `${name}/*`])],
    plugins: [importMetaPlugin(input.folder, deps.files), sdkPlugin(input.folder, deps.files)],
  })
  for (const warning of result.warnings) input.log(describeMessage(warning))
  refuseOutsiders(result)
  const [map, code] = [...result.outputFiles].sort((a, b) => b.path.length - a.path.length).map((file) => file.text) as [string, string]
  const isStrict = Object.values(result.metafile.inputs).every((source) => source.format !== 'cjs')
  return {
    format,
    file: posix.join(folder, bundleName + extensionOf(format)),
    // An ES module is strict; bundled as CommonJS it is only if we say so. Packages in CommonJS may be sloppy: then the bundle stays so.
    code: format === 'commonjs' && isStrict ? `"use strict";${code}` : code,
    map,
  }
}

const options = {
  bundle: true,
  write: false,
  metafile: true,
  logLevel: 'silent',
  platform: 'node',
  target: 'node26',
  sourcemap: 'external',
  sourcesContent: true,
  legalComments: 'none',
  charset: 'utf8',
  // node_modules may be a link into the dependency cache: names of files are taken as they stand in the author's folder.
  preserveSymlinks: true,
  define: { 'import.meta': importMetaName },
  loader: { '.txt': 'text', '.md': 'text', '.html': 'text', '.sql': 'text', '.graphql': 'text', '.wasm': 'binary' },
} as const satisfies BuildOptions

function extensionOf(format: Bundle['format']): string {
  return format === 'commonjs' ? '.cjs' : '.mjs'
}

/** On one line: what comes first in the bundle moves no line of it. */
function metaFunction(depth: number): string {
  const root = Array.from({ length: depth }, () => "'..'").join(',')
  return (
    `function ${importMetaFactory}(place){const path=require('node:path'),url=require('node:url');` +
    `const filename=path.join(__dirname,${root === '' ? '' : `${root},`}place);` +
    `return{url:url.pathToFileURL(filename).href,filename,dirname:path.dirname(filename),main:false,` +
    `resolve:(name)=>{const found=require('node:module').createRequire(filename).resolve(name);` +
    `return path.isAbsolute(found)?url.pathToFileURL(found).href:found}}}`
  )
}

const commonjsBanner = (depth: number) => metaFunction(depth)

/** What CommonJS packages within an ES module expect to find. */
function moduleBanner(depth: number): string {
  return (
    `import{createRequire as __kaonCreateRequire}from'node:module';const require=__kaonCreateRequire(import.meta.url),` +
    `__filename=import.meta.filename,__dirname=import.meta.dirname;${metaFunction(depth)}`
  )
}

function needsModuleFormat(message: Message): boolean {
  return /top-level await/i.test(message.text) && /"cjs" output format|require call is not allowed/.test(message.text)
}

function messagesOf(error: unknown): Message[] {
  const messages = (error as Partial<BuildFailure>).errors
  if (!Array.isArray(messages)) throw error
  return messages
}

/** The author's folder is all that a function may be made of: an import of `../../somebody/else.ts` is refused. */
function refuseOutsiders(result: BuildResult<{ metafile: true }>): void {
  const inputs = Object.entries(result.metafile.inputs)
  const outside = (path: string) => path.startsWith('../') || path.startsWith('/') || /^[A-Za-z]:/.test(path)
  const wrong = inputs.flatMap(([file, input]) =>
    input.imports.filter((one) => !one.external && outside(one.path)).map((one) => ({ file, path: one.original ?? one.path })),
  )
  if (wrong.length === 0) return
  throw buildFailed(
    wrong.map(({ file, path }) => plainMessage(`${file}: '${path}' is outside of the function's folder and cannot be imported`)),
  )
}

function plainMessage(text: string): Message {
  return { id: '', pluginName: '', text, location: null, notes: [], detail: undefined }
}
