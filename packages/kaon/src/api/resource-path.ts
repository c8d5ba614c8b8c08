import { type Kind, kinds } from '../model/kinds.ts'
import { subdomainPattern } from '../model/schema.ts'

/** What a path under /api/v1 or /apis/kaon.dev/v1 names. `name` is missing for a collection, `namespace` for cluster-wide kinds and for all namespaces. */
export type ResourceTarget = {
  kind: Kind
  namespace?: string
  name?: string
  subresource?: string
  /** What follows the subresource, as it was sent, with its leading slash; empty when nothing does. */
  rest: string
}

const labelPattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const namePattern = new RegExp(subdomainPattern)
const prefixes = [
  ['', '/api/v1/'],
  ['kaon.dev', '/apis/kaon.dev/v1/'],
] as const

/**
 * The resource behind a path, or undefined when there is none. Names that no object can have are none either,
 * so that whoever makes a path or an address of a name behind this gets only harmless ones.
 */
export function parseResourcePath(path: string): ResourceTarget | undefined {
  const prefix = prefixes.find(([, start]) => path.startsWith(start))
  if (prefix === undefined) return undefined
  const [group, start] = prefix
  const parts = path.slice(start.length).split('/')
  const namespaced = parts[0] === 'namespaces' && parts.length >= 3 ? findPlural(group, parts[2]) : undefined
  if (namespaced?.namespaced) {
    const namespace = decodeName(parts[1], labelPattern)
    return namespace === undefined ? undefined : withName({ kind: namespaced, namespace, rest: '' }, parts.slice(3))
  }
  const kind = findPlural(group, parts[0])
  if (kind === undefined) return undefined
  if (kind.namespaced && parts.length > 1) return undefined
  return withName({ kind, rest: '' }, parts.slice(1))
}

function withName(target: ResourceTarget, parts: readonly string[]): ResourceTarget | undefined {
  if (parts.length === 0) return target
  const name = decodeName(parts[0], namePattern)
  if (name === undefined) return undefined
  if (parts.length === 1) return { ...target, name }
  const subresource = parts[1] as string
  if (subresource === '') return undefined
  return { ...target, name, subresource, rest: parts.length > 2 ? `/${parts.slice(2).join('/')}` : '' }
}

function findPlural(group: string, plural: string | undefined): Kind | undefined {
  return kinds.find((kind) => kind.group === group && kind.plural === plural)
}

function decodeName(part: string | undefined, pattern: RegExp): string | undefined {
  try {
    const name = decodeURIComponent(part ?? '')
    return name.length <= 253 && pattern.test(name) ? name : undefined
  } catch {
    return undefined
  }
}
