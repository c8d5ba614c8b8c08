import type { Plugin } from 'esbuild'

/** Node's own modules that are large and that most replicas never use: each costs 1 to 2 MiB and some ms in the process and again in each thread. */
const lazyModules = ['node:child_process', 'node:crypto', 'node:http', 'node:https', 'node:vm', 'node:stream/promises'] as const

/** Makes a bundle load these modules when one of their exports is first used. An import would load them at the start. */
export const loadLazily: Plugin = {
  name: 'load-lazily',
  setup(build) {
    const filter = new RegExp(`^(?:${lazyModules.join('|')})$`)
    build.onResolve({ filter }, ({ path, kind }) => (kind === 'import-statement' ? { path, namespace: 'lazy' } : undefined))
    build.onLoad({ filter, namespace: 'lazy' }, async ({ path }) => {
      const names = Object.keys((await import(path)) as object).filter((name) => name !== 'default' && name !== 'module.exports')
      const getters = names.map((name) => `get ${name}() { return load().${name} }`)
      const contents = `const load = () => require(${JSON.stringify(path)})\nmodule.exports = { __esModule: true, get default() { return load() }, ${getters.join(', ')} }`
      return { contents, loader: 'js' }
    })
  },
}
