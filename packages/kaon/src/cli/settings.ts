import { KaonError } from '../base/errors.ts'
import type { Contexts } from './contexts.ts'

export type OutputFormat = { kind: 'json' | 'yaml' | 'table' | 'name' | 'wide' } | { kind: 'jsonpath'; template: string }

/** The global options, with what stands behind them: flag, then variable, then context, then default. */
export type Settings = {
  /** Base of the API, without a slash at the end. */
  server: string
  namespace: string
  /** Whether a flag or a variable named it for this call. */
  isNamespaceGiven: boolean
  token: string | undefined
  /** Undefined when nobody asked for one. */
  output: OutputFormat | undefined
  isQuiet: boolean
  saysYes: boolean
  /** Name of the context in force, if any. */
  context: string | undefined
}

export const defaultServer = 'http://127.0.0.1:8070'
export const defaultNamespace = 'default'

type GlobalValues = {
  server: string | undefined
  context: string | undefined
  namespace: string | undefined
  output: string | undefined
  token: string | undefined
  quiet: boolean
  yes: boolean
}

/** Throws `usage` for a server that is no URL, an unknown format, and a context that does not exist. */
export function resolveSettings(values: GlobalValues, contexts: Contexts): Settings {
  const name = values.context ?? contexts.current
  const context = name === undefined ? undefined : contexts.contexts[name]
  if (values.context !== undefined && context === undefined)
    throw new KaonError('usage', `There is no context '${values.context}'.`, {
      hint: "See 'kaon context list', or make it with 'kaon context set'.",
    })
  // A token goes only to the server it was given for.
  const token = values.token ?? (values.server === undefined ? context?.token : undefined)
  return {
    server: checkServer(values.server ?? context?.server ?? defaultServer),
    namespace: values.namespace ?? context?.namespace ?? defaultNamespace,
    isNamespaceGiven: values.namespace !== undefined,
    token,
    output: values.output === undefined ? undefined : parseOutput(values.output),
    isQuiet: values.quiet,
    saysYes: values.yes,
    context: context === undefined || values.server !== undefined ? undefined : name,
  }
}

/** The server's address without a slash at the end. Throws `usage`. */
export function checkServer(server: string): string {
  const url = URL.parse(server)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new KaonError('usage', `Give the server as a URL such as '${defaultServer}', not '${server}'.`)
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

const simpleFormats = ['json', 'yaml', 'table', 'name', 'wide'] as const

export function parseOutput(text: string): OutputFormat {
  if (text.startsWith('jsonpath=')) return { kind: 'jsonpath', template: text.slice('jsonpath='.length) }
  const kind = simpleFormats.find((format) => format === text)
  if (kind === undefined) throw new KaonError('usage', `Give '--output' json, yaml, table, name, wide or jsonpath=TEMPLATE, not '${text}'.`)
  return { kind }
}
