import { dirname, extname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Loader, Plugin } from 'esbuild'
import type { Files } from '../../base/system.ts'

/** Bound to each module that uses `import.meta`; see `importMetaPlugin`. */
export const importMetaName = '__kaonMeta'
/** Makes such an object for a file of the author's folder; the bundle's banner defines it. */
export const importMetaFactory = '__kaonMetaOf'

const codeFiles = /\.[mc]?[jt]sx?$/
const loaders: Record<string, Loader> = { '.mts': 'ts', '.cts': 'ts', '.ts': 'ts', '.tsx': 'tsx', '.jsx': 'jsx' }

/**
 * Lets `import.meta.url`, `dirname`, `filename` and `resolve` of each module say where that module was in the author's folder, though all end in
 * one file: `define` turns `import.meta` into a name, and here each module that uses it binds that name. It is bound on the module's first
 * line, so that lines stay; after a `#!` line, which must be first.
 */
export function importMetaPlugin(folder: string, files: Pick<Files, 'readFile'>): Plugin {
  return {
    name: 'import-meta',
    setup(build) {
      build.onLoad({ filter: codeFiles, namespace: 'file' }, async ({ path }) => {
        const contents = await files.readFile(path, 'utf8')
        if (!contents.includes('import.meta')) return undefined
        const place = JSON.stringify(relative(folder, path).split(sep).join('/'))
        const binding = `var ${importMetaName} = ${importMetaFactory}(${place});`
        const hashbang = /^#!.*\n/.exec(contents)?.[0] ?? ''
        const bound = hashbang === '' ? binding + contents : `\n${binding}${contents.slice(hashbang.length)}`
        return { contents: bound, loader: loaders[extname(path)] ?? 'js', resolveDir: dirname(path) }
      })
    },
  }
}

/** Resolves `@kaon/sdk` to the platform's own copy where the function brings none. In a namespace, so that no path of this machine gets into the bundle. */
export function sdkPlugin(folder: string, files: Pick<Files, 'readFile' | 'existsSync'>): Plugin {
  const namespace = 'kaon-sdk'
  return {
    name: namespace,
    setup(build) {
      if (files.existsSync(join(folder, 'node_modules/@kaon/sdk/package.json'))) return
      const entry = fileURLToPath(import.meta.resolve('@kaon/sdk'))
      build.onResolve({ filter: /^@kaon\/sdk$/ }, () => ({ path: entry.slice(dirname(entry).length + 1), namespace, sideEffects: false }))
      build.onResolve({ filter: /^\.\.?\//, namespace }, ({ path, importer }) => ({
        path: join(dirname(importer), path),
        namespace,
        sideEffects: false,
      }))
      build.onLoad({ filter: /.*/, namespace }, async ({ path }) => ({
        contents: await files.readFile(join(dirname(entry), path), 'utf8'),
        loader: loaders[extname(path)] ?? 'js',
      }))
    },
  }
}
