import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml'
import { type FieldError, KaonError } from '../base/errors.ts'
import type { Resource } from '../model/metadata.ts'

/** One resource of a file, and where its fields stand in it. */
export type Manifest = {
  /** The file as the user named it; `stdin` for standard input. */
  file: string
  resource: Resource
  /** Where a field such as `spec.env[0].name` stands; its nearest parent when it is not in the file. */
  positionOf(field: string): Position
}

export type Position = { line: number; column: number }

const maxManifestBytes = 16 * 1024 * 1024

/** All resources of a YAML or JSON text, `List` kinds unrolled. Throws `config_invalid` with file:line:column, an excerpt and a caret. */
export function parseManifests(text: string, file: string, options: { defaultName?: string } = {}): Manifest[] {
  if (Buffer.byteLength(text) > maxManifestBytes) throw new KaonError('config_invalid', `'${file}' is larger than 16 MiB.`)
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false, strict: true })
  const manifests: Manifest[] = []
  for (const document of Array.isArray(documents) ? documents : []) {
    const [problem] = document.errors
    if (problem !== undefined) throw problemAt(text, file, lines.linePos(problem.pos[0]), sentence(problem.message))
    manifests.push(...resourcesOf(document, { text, file, lines, ...options }))
  }
  return manifests
}

type Origin = { text: string; file: string; lines: LineCounter; defaultName?: string }

function resourcesOf(document: Document.Parsed, origin: Origin): Manifest[] {
  const start = { line: 1, column: 1 }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    throw problemAt(origin.text, origin.file, start, sentence((cause as Error).message))
  }
  if (value === null || value === undefined) return []
  const at = (path: readonly (string | number)[]) => positionIn(document, path, origin.lines)
  if (typeof value !== 'object' || Array.isArray(value))
    throw problemAt(origin.text, origin.file, at([]), 'A resource is a map of fields, with apiVersion, kind and metadata.')
  const list = value as { kind?: unknown; items?: unknown }
  if (typeof list.kind === 'string' && list.kind.endsWith('List') && Array.isArray(list.items))
    return list.items.map((item, index) => manifestOf(item, ['items', index], at, origin))
  return [manifestOf(value, [], at, origin)]
}

function manifestOf(
  value: unknown,
  root: (string | number)[],
  at: (path: readonly (string | number)[]) => Position,
  origin: Origin,
): Manifest {
  const resource = nameDefaulted(value, origin.defaultName)
  for (const [field, name] of [
    ['apiVersion', resource?.apiVersion],
    ['kind', resource?.kind],
    ['metadata.name', resource?.metadata?.name ?? resource?.metadata?.generateName],
  ] as const) {
    if (typeof name === 'string' && name !== '') continue
    const what =
      field === 'metadata.name'
        ? "Give the resource a name: 'metadata: { name: hello }'."
        : `Say '${field}', as in 'apiVersion: kaon.dev/v1' and 'kind: Function'.`
    throw problemAt(origin.text, origin.file, at([...root, ...field.split('.')]), what)
  }
  return { file: origin.file, resource, positionOf: (field) => at([...root, ...fieldPath(field)]) }
}

/** A folder's own kaon.yaml may leave the name to the folder. */
function nameDefaulted(value: unknown, defaultName: string | undefined): Resource {
  const resource = value as Resource
  if (defaultName === undefined || typeof resource !== 'object' || resource === null || resource.metadata?.name !== undefined)
    return resource
  return { ...resource, metadata: { ...resource.metadata, name: defaultName } }
}

/** `spec.env[0].name` and `metadata.labels[a.b/c]` as steps. */
export function fieldPath(field: string): (string | number)[] {
  return [...field.matchAll(/\["?([^\]"]*)"?\]|([^.[\]]+)/g)].map(([, bracketed, plain]) => {
    const step = (bracketed ?? plain) as string
    return bracketed !== undefined && /^\d+$/.test(step) ? Number(step) : step
  })
}

function positionIn(document: Document.Parsed, path: readonly (string | number)[], lines: LineCounter): Position {
  let node: unknown = document.contents
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      if (pair === undefined) break
      offset = (isNode(pair.key) ? pair.key.range?.[0] : undefined) ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
      if (!isNode(node)) break
      offset = node.range?.[0] ?? offset
    } else break
  }
  const { line, col } = lines.linePos(offset)
  return { line, column: col }
}

/** The server's word on the fields of a resource, said where they stand in the file. */
export function locateErrors(manifest: Manifest, text: string, fields: readonly FieldError[], message: string, hint?: string): KaonError {
  const [first] = fields
  if (first === undefined) return new KaonError('validation_failed', `${manifest.file}: ${message}`, hint === undefined ? {} : { hint })
  const placed = fields.map((field) => ({ field, at: manifest.positionOf(field.field) }))
  placed.sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column)
  const parts = placed.map(({ field, at }) => excerptAt(text, manifest.file, at, `${field.field}: ${field.message}`))
  return new KaonError('validation_failed', parts.join('\n'), hint === undefined ? {} : { hint })
}

function problemAt(text: string, file: string, at: { line: number; column?: number; col?: number }, message: string): KaonError {
  return new KaonError('config_invalid', excerptAt(text, file, { line: at.line, column: at.column ?? at.col ?? 1 }, message))
}

/** `file:line:column: message` with the line and a caret below it. */
export function excerptAt(text: string, file: string, { line, column }: Position, message: string): string {
  const source = (text.split('\n')[line - 1] ?? '').replaceAll('\t', ' ')
  const from = Math.max(0, column - 80)
  const shown = source.slice(from, from + 120)
  const gutter = `${line} | `
  return `${file}:${line}:${column}: ${message}\n  ${gutter}${shown}\n  ${' '.repeat(gutter.length + column - 1 - from)}^`
}

function sentence(text: string): string {
  const first = text.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '')
  return /[.!?]$/.test(first) ? first : `${first}.`
}
