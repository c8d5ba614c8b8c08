import { ConfigMapSchema, EventSchema, NamespaceSchema, SecretSchema } from './core.ts'
import { FunctionSchema } from './function.ts'
import { RevisionSchema } from './revision.ts'
import { RouteSchema } from './route.ts'
import { namePattern, type TSchema } from './schema.ts'

/** A column of `kubectl get` and `kaon get`. `path` is a JSON path as in CRDs, or `age`. */
export type Column = { name: string; type: 'string' | 'integer' | 'date'; path: string; wide?: boolean; description: string }

/** All that the generic verbs need to know of a kind. To add a kind: write its schema, add its row here. */
export type Kind = {
  group: '' | 'kaon.dev'
  version: 'v1'
  kind: string
  plural: string
  singular: string
  shortNames: readonly string[]
  namespaced: boolean
  schema: TSchema
  /** Whether status is written apart, under `/status`. */
  statusSubresource: boolean
  storage: 'store'
  columns: readonly Column[]
  /** Names are checked against this, besides Kubernetes's own rule. */
  namePattern?: string
  nameMaxLength?: number
  categories?: readonly string[]
}

const age: Column = { name: 'Age', type: 'date', path: 'age', description: 'Time since creation.' }
const ready: Column = {
  name: 'Ready',
  type: 'string',
  path: '.status.conditions[?(@.type=="Ready")].status',
  description: 'Whether it serves.',
}
const reason: Column = {
  name: 'Reason',
  type: 'string',
  path: '.status.conditions[?(@.type=="Ready")].reason',
  description: 'Why not, when it does not.',
}
const core = { group: '', version: 'v1', storage: 'store' } as const
const kaon = {
  group: 'kaon.dev',
  version: 'v1',
  storage: 'store',
  statusSubresource: true,
  namespaced: true,
  categories: ['all', 'kaon'],
} as const

export const kinds = [
  {
    ...core,
    kind: 'Namespace',
    plural: 'namespaces',
    singular: 'namespace',
    shortNames: ['ns'],
    namespaced: false,
    schema: NamespaceSchema,
    statusSubresource: true,
    namePattern,
    nameMaxLength: 63,
    columns: [{ name: 'Status', type: 'string', path: '.status.phase', description: 'Active or Terminating.' }, age],
  },
  {
    ...core,
    kind: 'Secret',
    plural: 'secrets',
    singular: 'secret',
    shortNames: [],
    namespaced: true,
    schema: SecretSchema,
    statusSubresource: false,
    columns: [
      { name: 'Type', type: 'string', path: '.type', description: 'Kind of secret.' },
      { name: 'Data', type: 'integer', path: 'count(.data)', description: 'Number of values.' },
      age,
    ],
  },
  {
    ...core,
    kind: 'ConfigMap',
    plural: 'configmaps',
    singular: 'configmap',
    shortNames: ['cm'],
    namespaced: true,
    schema: ConfigMapSchema,
    statusSubresource: false,
    columns: [{ name: 'Data', type: 'integer', path: 'count(.data)', description: 'Number of values.' }, age],
  },
  {
    ...core,
    kind: 'Event',
    plural: 'events',
    singular: 'event',
    shortNames: ['ev'],
    namespaced: true,
    schema: EventSchema,
    statusSubresource: false,
    columns: [
      { name: 'Last Seen', type: 'date', path: '.lastTimestamp', description: 'When it last happened.' },
      { name: 'Type', type: 'string', path: '.type', description: 'Normal or Warning.' },
      { name: 'Reason', type: 'string', path: '.reason', description: 'One word.' },
      { name: 'Kind', type: 'string', path: '.involvedObject.kind', description: 'Kind of the object.' },
      { name: 'Object', type: 'string', path: '.involvedObject.name', description: 'Name of the object.' },
      { name: 'Message', type: 'string', path: '.message', description: 'What happened.' },
    ],
  },
  {
    ...kaon,
    kind: 'Function',
    plural: 'functions',
    singular: 'function',
    shortNames: ['fn'],
    schema: FunctionSchema,
    namePattern,
    nameMaxLength: 50,
    columns: [
      { name: 'Url', type: 'string', path: '.status.url', description: 'Address on the gateway.' },
      { name: 'Revision', type: 'string', path: '.status.latestReadyRevision', description: 'Latest ready revision.' },
      { name: 'Replicas', type: 'integer', path: '.status.replicas', description: 'Ready replicas.', wide: true },
      { name: 'Runtime', type: 'string', path: '.spec.runtime', description: 'What runs the handler.', wide: true },
      ready,
      reason,
      age,
    ],
  },
  {
    ...kaon,
    kind: 'Revision',
    plural: 'revisions',
    singular: 'revision',
    shortNames: ['rev'],
    schema: RevisionSchema,
    columns: [
      { name: 'Function', type: 'string', path: '.metadata.labels.kaon\\.dev/function', description: 'Whose revision.' },
      { name: 'Replicas', type: 'integer', path: '.status.readyReplicas', description: 'Ready replicas.' },
      { name: 'Artifact', type: 'string', path: '.status.artifact', description: 'What was built.', wide: true },
      ready,
      reason,
      age,
    ],
  },
  {
    ...kaon,
    kind: 'Route',
    plural: 'routes',
    singular: 'route',
    shortNames: ['rt'],
    schema: RouteSchema,
    namePattern,
    nameMaxLength: 63,
    columns: [{ name: 'Hosts', type: 'string', path: '.spec.hosts', description: 'Host names.' }, ready, reason, age],
  },
] as const satisfies readonly Kind[]

export type KindName = (typeof kinds)[number]['kind']

/** The API version of a kind, as in `v1` or `kaon.dev/v1`. */
export function apiVersionOf(kind: Pick<Kind, 'group' | 'version'>): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`
}

export function kindNamed(name: KindName): Kind {
  return kinds.find((k) => k.kind === name) as Kind
}

/** The kind behind `functions`, `function`, `fn` or `Function`; undefined when there is none. */
export function findKind(word: string): Kind | undefined {
  const lower = word.toLowerCase()
  return kinds.find(
    (k) =>
      k.plural === lower || k.singular === lower || (k.shortNames as readonly string[]).includes(lower) || k.kind.toLowerCase() === lower,
  )
}
