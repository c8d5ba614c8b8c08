import { KaonError } from '../../../base/errors.ts'

/** What a module offers, once looked through. */
export type LoadedHandler = {
  kind: 'function' | 'fetch'
  /** The function, or the object whose `fetch` is called. */
  target: unknown
  init: ((context: unknown) => unknown) | undefined
  streamBody: boolean
}

type Exports = Record<string, unknown>

/**
 * Finds the handler among a module's exports: `exportName`, where `default` also means `module.exports = fn`, `exports.handler` and
 * `module.exports = { fetch }`. A handler is a function, or an object with a `fetch` method. Throws `handler_invalid` with what there is.
 */
export function findHandler(exported: unknown, exportName: string, handlerFile: string): LoadedHandler {
  const found = findExport(exported, exportName)
  const options = Object(exported) as Exports
  const init = options['init'] ?? (isObject(found) ? (found as Exports)['init'] : undefined)
  if (init !== undefined && typeof init !== 'function') throw wrongKind(handlerFile, 'init', init, 'a function', exported)
  const rest = { init: init as LoadedHandler['init'], streamBody: options['streamBody'] === true }
  if (typeof found === 'function') {
    if (isClass(found)) throw wrongKind(handlerFile, exportName, found, 'a function or an object with a fetch method', exported)
    return { kind: 'function', target: found, ...rest }
  }
  if (isObject(found) && typeof (found as Exports)['fetch'] === 'function')
    return { kind: 'fetch', target: found, ...rest, streamBody: true }
  if (found !== undefined) throw wrongKind(handlerFile, exportName, found, 'a function or an object with a fetch method', exported)
  throw new KaonError('handler_invalid', `'${handlerFile}' has no export '${exportName}'. ${listed(exported)}`, {
    hint:
      exportName === 'default'
        ? "Write 'export default function (event, context) { … }'."
        : `Export it, or name another one in spec.handler, as in '${handlerFile}#name'.`,
  })
}

function findExport(exported: unknown, exportName: string): unknown {
  const module = Object(exported) as Exports
  if (exportName !== 'default') return module[exportName] ?? (Object(module['default']) as Exports)[exportName]
  const byDefault = module['default']
  if (byDefault !== undefined) {
    // A CommonJS module that was compiled from ESM and imported by ESM again has its default one level down.
    const inner = isObject(byDefault) && (byDefault as Exports)['__esModule'] === true ? (byDefault as Exports)['default'] : undefined
    if (inner !== undefined) return inner
    return isObject(byDefault) &&
      typeof (byDefault as Exports)['fetch'] !== 'function' &&
      typeof (byDefault as Exports)['handler'] === 'function'
      ? (byDefault as Exports)['handler']
      : byDefault
  }
  if (typeof exported === 'function' || typeof module['fetch'] === 'function') return exported
  if (typeof module['handler'] === 'function') return module['handler']
  return isObject(exported) ? undefined : exported
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' || typeof value === 'function') && value !== null
}

function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}

function wrongKind(file: string, name: string, value: unknown, wanted: string, exported: unknown): KaonError {
  return new KaonError('handler_invalid', `'${file}' exports '${name}' as ${kindOf(value)}; wanted ${wanted}. ${listed(exported)}`)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (isClass(value)) return 'a class'
  if (value instanceof Promise) return 'a promise'
  return typeof value === 'object' ? 'an object without a fetch method' : `a ${typeof value}`
}

function listed(exported: unknown): string {
  const names = isObject(exported) ? Object.keys(exported).filter((name) => name !== '__esModule') : []
  return names.length === 0 ? 'It exports nothing.' : `Exports found: ${names.slice(0, 20).join(', ')}.`
}
