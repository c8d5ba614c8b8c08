import type { Resource } from '../../model/metadata.ts'
import { isJsonObject } from '../../model/schema-node.ts'
import { badRequest } from '../object-errors.ts'

type FieldRequirement = { path: string; wanted: string; equal: boolean }

const selectable =
  /^(metadata\.(name|namespace|uid)|(spec|status|involvedObject|source)(\.[A-Za-z][A-Za-z0-9]*)+|type|reason|reportingComponent)$/

/** Kubernetes's field selectors, `path=value` and `path!=value` joined by commas, with `\` before a literal `,`, `=` or `\`. Throws `invalid_request`. */
export function parseFieldSelector(text: string): FieldRequirement[] {
  if (text.trim() === '') return []
  return (text.match(/(?:\\.|[^,\\])+/g) ?? []).map((term) => parseTerm(term.trim(), text))
}

function parseTerm(term: string, text: string): FieldRequirement {
  const [, path, operator, value] = /^([^=!\\]+)(==|=|!=)((?:\\[,=\\]|[^=\\])*)$/.exec(term) ?? []
  if (path === undefined || value === undefined) throw badRequest(`'${text.slice(0, 200)}' is not a field selector.`)
  if (!selectable.test(path))
    throw badRequest(
      `Field label '${path.slice(0, 100)}' is not supported.`,
      'Select by metadata.name, metadata.namespace or a field of spec or status.',
    )
  return { path, wanted: value.replace(/\\(.)/g, '$1'), equal: operator !== '!=' }
}

/** Whether the object fits all; a field that is not there counts as empty. */
export function matchesFields(requirements: readonly FieldRequirement[], object: Resource): boolean {
  return requirements.every(({ path, wanted, equal }) => (fieldText(object, path) === wanted) === equal)
}

function fieldText(object: Resource, path: string): string {
  let value: unknown = object
  for (const name of path.split('.')) value = isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
  return value === undefined || value === null || typeof value === 'object' ? '' : String(value)
}
