import { closestWord } from '../base/closest-word.ts'
import { KaonError } from '../base/errors.ts'
import type { Resource } from '../model/metadata.ts'
import type { ApiClient } from './api-client.ts'

/** How a kind is addressed. */
export type ResourceType = { group: string; version: string; plural: string; kind: string; namespaced: boolean }
export type WatchLine = { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'; object: Resource }
export type ResourceList = { metadata?: { resourceVersion?: string; continue?: string }; items: Resource[] }

const ours = { group: 'kaon.dev', version: 'v1', namespaced: true } as const
const core = { group: '', version: 'v1' } as const
/** The kinds that commands know by name; every other is found by asking the server. */
export const functions: ResourceType = { ...ours, plural: 'functions', kind: 'Function' }
export const revisions: ResourceType = { ...ours, plural: 'revisions', kind: 'Revision' }
export const secrets: ResourceType = { ...core, plural: 'secrets', kind: 'Secret', namespaced: true }
export const namespaces: ResourceType = { ...core, plural: 'namespaces', kind: 'Namespace', namespaced: false }
export const events: ResourceType = { ...core, plural: 'events', kind: 'Event', namespaced: true }

/** Path of a collection (all namespaces when `namespace` is undefined) or of one object in it. */
export function pathOf(type: ResourceType, namespace: string | undefined, name?: string): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`
  const scope = type.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  return `${root}${scope}/${type.plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`
}

/** The object, or undefined when there is none. */
export async function find<R extends Resource>(api: ApiClient, path: string, signal?: AbortSignal): Promise<R | undefined> {
  try {
    return await api.json<R>('GET', path, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    if ((error as KaonError).code === 'not_found') return undefined
    throw error
  }
}

/** Changes of a collection from `resourceVersion` on. Ends when the server ends it; throws `expired` when the version is too old. */
export async function* watch(api: ApiClient, path: string, query: Record<string, string>, signal: AbortSignal): AsyncGenerator<WatchLine> {
  const search = new URLSearchParams({ ...query, watch: '1' })
  for await (const line of api.lines(`${path}?${search}`, signal)) {
    const event = JSON.parse(line) as WatchLine
    if (event.type === 'ERROR') {
      const { message, reason } = event.object as unknown as { message?: string; reason?: string }
      throw new KaonError(
        reason === 'Expired' || reason === 'Gone' ? 'expired' : 'store_unavailable',
        message ?? 'The watch ended with an error.',
      )
    }
    yield event
  }
}

/** Every object of a collection, page by page. */
export async function* listAll(api: ApiClient, path: string, query: Record<string, string> = {}): AsyncGenerator<Resource> {
  let continueFrom: string | undefined
  do {
    const search = new URLSearchParams({ ...query, limit: '500', ...(continueFrom === undefined ? {} : { continue: continueFrom }) })
    const page = await api.json<ResourceList & { kind: string; apiVersion: string }>('GET', `${path}?${search}`)
    // Kubernetes leaves kind and apiVersion out of the items of a list.
    for (const item of page.items)
      yield { ...item, apiVersion: item.apiVersion ?? page.apiVersion, kind: item.kind ?? page.kind.replace(/List$/, '') }
    continueFrom = page.metadata?.continue || undefined
  } while (continueFrom !== undefined)
}

type Discovered = ResourceType & { words: Set<string> }
type ResourceListAnswer = {
  groupVersion: string
  resources: { name: string; singularName?: string; shortNames?: string[]; kind: string; namespaced: boolean }[]
}

/** All kinds that the server has, by the words that name them. */
export async function discover(api: ApiClient): Promise<Discovered[]> {
  const groups = await api.json<{ groups: { preferredVersion: { groupVersion: string } }[] }>('GET', '/apis')
  const paths = ['/api/v1', ...groups.groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)]
  const lists = await Promise.all(paths.map((path) => api.json<ResourceListAnswer>('GET', path)))
  return lists.flatMap(({ groupVersion, resources }) => {
    const [group, version] = groupVersion.includes('/') ? (groupVersion.split('/') as [string, string]) : ['', groupVersion]
    return resources
      .filter(({ name }) => !name.includes('/'))
      .map(({ name, singularName = '', shortNames = [], kind, namespaced }) => ({
        ...{ group, version, plural: name, kind, namespaced },
        words: new Set([name, singularName, ...shortNames, kind.toLowerCase(), `${name}.${group}`].filter((word) => word !== '')),
      }))
  })
}

/** The kind behind `functions`, `fn`, `Function` or `functions.kaon.dev`. Throws `usage` with what there is. */
export async function findType(api: ApiClient, word: string): Promise<ResourceType> {
  const known = await discover(api)
  const found = known.find(({ words }) => words.has(word.toLowerCase()))
  if (found !== undefined) return found
  const near = closestWord(
    word.toLowerCase(),
    known.flatMap(({ words }) => [...words]),
  )
  throw new KaonError('usage', `There is no kind '${word}'.`, {
    hint: near === undefined ? `There are ${known.map(({ plural }) => plural).join(', ')}.` : `Did you mean '${near}'?`,
  })
}

/** The kind that a file names by `apiVersion` and `kind`; undefined when the server has none such. */
export function typeOf(known: readonly ResourceType[], object: Pick<Resource, 'apiVersion' | 'kind'>): ResourceType | undefined {
  return known.find(
    ({ group, version, kind }) => kind === object.kind && object.apiVersion === (group === '' ? version : `${group}/${version}`),
  )
}
