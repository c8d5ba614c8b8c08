import { isJsonObject } from '../../model/schema-node.ts'

type Step = { kind: 'member'; name: string } | { kind: 'filter'; name: string; equals: string }
type ColumnPath = { kind: 'values'; steps: Step[] } | { kind: 'count'; steps: Step[] }

const token = /\.((?:\\.|[^.[\\])+)|\[\?\(@\.([A-Za-z]+)=="([^"]*)"\)\]/y

/** The part of JSON path that columns use: `.a.b\.c`, `[?(@.type=="Ready")]` and `count(.a)`. Throws for anything else, since paths are ours. */
export function parseColumnPath(path: string): ColumnPath {
  const counted = /^count\((.*)\)$/.exec(path)
  return counted === null ? { kind: 'values', steps: parseSteps(path) } : { kind: 'count', steps: parseSteps(counted[1] as string) }
}

function parseSteps(path: string): Step[] {
  const steps: Step[] = []
  for (let at = 0; at < path.length; at = token.lastIndex) {
    token.lastIndex = at
    const match = token.exec(path)
    if (match === null) throw new Error(`column path '${path}' is not understood at ${at}`)
    const [, member, name, equals] = match
    if (member !== undefined) steps.push({ kind: 'member', name: member.replace(/\\(.)/g, '$1') })
    else steps.push({ kind: 'filter', name: name as string, equals: equals as string })
  }
  return steps
}

/** What stands at the path: a value, a number for a count, or undefined. */
export function readColumn(path: ColumnPath, object: unknown): unknown {
  let value: unknown = object
  for (const step of path.steps) {
    if (step.kind === 'filter')
      value = Array.isArray(value) ? value.find((item) => isJsonObject(item) && item[step.name] === step.equals) : undefined
    else value = isJsonObject(value) && Object.hasOwn(value, step.name) ? value[step.name] : undefined
  }
  if (path.kind === 'values') return value
  if (Array.isArray(value)) return value.length
  return isJsonObject(value) ? Object.keys(value).length : 0
}
