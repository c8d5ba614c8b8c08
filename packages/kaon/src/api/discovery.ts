import { type Kind, kinds } from '../model/kinds.ts'

const group = 'kaon.dev'
const preferred = { groupVersion: `${group}/v1`, version: 'v1' }

/** What the API serves, as kubectl and client libraries ask for it; undefined when the path is none of these. */
export function discoveryDocument(path: string): Record<string, unknown> | undefined {
  switch (path) {
    case '/api':
      return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
    case '/api/v1':
      return resourceList('')
    case '/apis':
      return { kind: 'APIGroupList', apiVersion: 'v1', groups: [groupEntry] }
    case `/apis/${group}`:
      return { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry }
    case `/apis/${group}/v1`:
      return resourceList(group)
    default:
      return undefined
  }
}

const groupEntry = { name: group, versions: [preferred], preferredVersion: preferred }

function resourceList(ofGroup: Kind['group']): Record<string, unknown> {
  const served: readonly Kind[] = kinds.filter((kind) => kind.group === ofGroup)
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: ofGroup === '' ? 'v1' : preferred.groupVersion,
    resources: served.flatMap((kind) => [resource(kind), ...(kind.statusSubresource ? [statusResource(kind)] : [])]),
  }
}

function resource(kind: Kind): Record<string, unknown> {
  return {
    name: kind.plural,
    singularName: kind.singular,
    namespaced: kind.namespaced,
    kind: kind.kind,
    verbs: verbsOf(kind),
    ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
    ...(kind.categories === undefined ? {} : { categories: kind.categories }),
  }
}

/** Revisions are made by the platform; namespaces go one by one. */
function verbsOf(kind: Kind): string[] {
  const verbs = ['delete', 'get', 'list', 'patch', 'update', 'watch']
  if (kind.kind !== 'Revision') verbs.push('create')
  if (kind.namespaced) verbs.push('deletecollection')
  return verbs.sort()
}

function statusResource(kind: Kind): Record<string, unknown> {
  return {
    name: `${kind.plural}/status`,
    singularName: '',
    namespaced: kind.namespaced,
    kind: kind.kind,
    verbs: ['get', 'patch', 'update'],
  }
}

/** What `kubectl version` asks for. The version is the Kubernetes API's that we keep to; ours stands behind the plus. */
export function versionDocument(version: string): Record<string, string> {
  return {
    major: '1',
    minor: '32',
    gitVersion: `v1.32.0+kaon-${version}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: '',
    platform: '',
  }
}
