import { existsSync, readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { dirname, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

// Stacks in the author's lines. Node's own source maps know nothing of scripts that come from a code cache, and read each map when the code
// is loaded; here a map is read when the first stack that needs it is looked at.

type Lookup = (file: string, line: number, column: number) => string | undefined

/** Makes every `error.stack` of this thread name the sources that the maps beside the artifact's files tell of. */
export function useSourceStacks(artifactFolder: string): void {
  const lookup = createLookup(artifactFolder)
  const isOurs = createIsOurs()
  Error.prepareStackTrace = (error, sites) => {
    const lines = sites.filter((site) => !isOurs(site.getFileName())).map((site) => `\n    at ${describe(site, lookup)}`)
    return `${headline(error)}${lines.join('')}`
  }
}

function headline(error: unknown): string {
  try {
    return Error.prototype.toString.call(error)
  } catch {
    return 'Error'
  }
}

/** Frames of the worker itself say nothing to an author: those of its one file when it is bundled, else of its folder. */
function createIsOurs(): (file: string | null | undefined) => boolean {
  Error.prepareStackTrace = (_, sites) => sites[0]?.getFileName()
  const own = String((new Error('where am I') as { stack?: unknown }).stack)
  const ownFolder = own.endsWith('/source-stacks.ts') ? `${dirname(dirname(own))}/` : own
  return (file) => typeof file === 'string' && (file.startsWith(ownFolder) || file.startsWith('node:internal/async_local_storage'))
}

function describe(site: NodeJS.CallSite, lookup: Lookup): string {
  const text = String(site)
  const file = site.getFileName()
  const line = site.getLineNumber()
  if (typeof file !== 'string' || line === null) return text
  const column = site.getColumnNumber() ?? 1
  const source = lookup(file.startsWith('file:') ? fileURLToPath(file) : file, line, column)
  return source === undefined ? text : text.replace(`${file}:${line}:${column}`, source)
}

function createLookup(artifactFolder: string): Lookup {
  const maps = new Map<string, SourceMap | undefined>()
  const inside = artifactFolder.endsWith(sep) ? artifactFolder : artifactFolder + sep
  return (file, line, column) => {
    if (!file.startsWith(inside)) return undefined
    if (!maps.has(file)) maps.set(file, readMap(file))
    const entry = maps.get(file)?.findEntry(line - 1, column - 1)
    if (entry === undefined || !('originalSource' in entry) || typeof entry.originalSource !== 'string') return undefined
    return `${entry.originalSource.replace(/^(?:\.\.?\/)+/, '')}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
  }
}

function readMap(file: string): SourceMap | undefined {
  const path = `${file}.map`
  if (!existsSync(path)) return undefined
  try {
    return new SourceMap(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return undefined
  }
}

/** The stack of an error as text; its message alone where there is none. */
export function stackOf(error: Error): string {
  return typeof error.stack === 'string' && error.stack !== '' ? error.stack : `${error.name}: ${error.message}`
}

/** The first place in the author's code that a stack names, as in `handler.ts:3:7`. */
export function firstPlace(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const line = stackOf(error)
    .split('\n')
    .find((each) => /^\s+at /.test(each) && !each.includes('node:'))
  return line === undefined ? undefined : /\(?([^\s()]+:\d+:\d+)\)?$/.exec(line)?.[1]
}
