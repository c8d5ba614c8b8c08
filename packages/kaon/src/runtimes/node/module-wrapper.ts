import vm from 'node:vm'

/** What a bundled CommonJS handler is given, in this order. */
export const moduleParameters = ['exports', 'require', 'module', '__filename', '__dirname'] as const

/** The bundle as one function expression. It stays on the bundle's own lines, so that positions fit its source map. */
export function wrapModule(code: string): string {
  return `(function (${moduleParameters.join(', ')}) {${code}\n})`
}

/**
 * Compiles a CommonJS bundle without running it. The build makes its code cache from exactly this script, and V8 accepts the cache only for
 * the same text, so workers must compile by it too:
 *
 * ```ts
 * const filename = join(assignment.artifactFolder, manifest.entry)
 * const script = compileModule(code, filename, cachedData)       // script.cachedDataRejected tells whether V8 took the cache
 * const module = { exports: {} }
 * script.runInThisContext().call(module.exports, module.exports, createRequire(filename), module, filename, dirname(filename))
 * ```
 *
 * The bundle's source map stands beside it, `${entry}.map`; its sources are relative to the folder of the entry.
 */
export function compileModule(code: string, filename: string, cachedData?: Buffer): vm.Script {
  return new vm.Script(wrapModule(code), {
    filename,
    ...(cachedData === undefined ? {} : { cachedData }),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
}
