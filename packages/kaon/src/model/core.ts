// The core kinds of Kubernetes that the platform serves itself, in Kubernetes's own shapes.
import { ObjectMeta, type Resource } from './metadata.ts'
import { base64Pattern, closed, dataKeyPattern, mapOf, type Static, Type, text } from './schema.ts'

export const NamespaceSchema = closed(
  {
    apiVersion: Type.Literal('v1'),
    kind: Type.Literal('Namespace'),
    metadata: ObjectMeta,
    spec: Type.Optional(closed({ finalizers: Type.Optional(Type.Array(Type.String())) })),
    status: Type.Optional(closed({ phase: Type.Optional(Type.Enum(['Active', 'Terminating'])) })),
  },
  { description: 'A project: names are unique within it, and references stay inside it.' },
)
export type NamespaceResource = Resource & { status?: { phase?: 'Active' | 'Terminating' } }

const base64 = Type.String({ pattern: base64Pattern, maxLength: 1_500_000 })
const plain = Type.String({ maxLength: 1_048_576 })

export const SecretSchema = closed(
  {
    apiVersion: Type.Literal('v1'),
    kind: Type.Literal('Secret'),
    metadata: ObjectMeta,
    type: Type.Optional(text('Kind of secret.', { default: 'Opaque' })),
    data: Type.Optional(mapOf(dataKeyPattern, base64, { description: 'Values in base64.' })),
    stringData: Type.Optional(mapOf(dataKeyPattern, plain, { description: 'Values as text; stored as data, never given back.' })),
    immutable: Type.Optional(Type.Boolean()),
  },
  { description: 'Values that are shown to nobody but the functions that name them.' },
)
export type SecretResource = Resource & { type?: string; data?: Record<string, string>; stringData?: Record<string, string> }

export const ConfigMapSchema = closed(
  {
    apiVersion: Type.Literal('v1'),
    kind: Type.Literal('ConfigMap'),
    metadata: ObjectMeta,
    data: Type.Optional(mapOf(dataKeyPattern, plain, { description: 'Values as text.' })),
    binaryData: Type.Optional(mapOf(dataKeyPattern, base64, { description: 'Values in base64.' })),
    immutable: Type.Optional(Type.Boolean()),
  },
  { description: 'Values that functions name.' },
)
export type ConfigMapResource = Resource & { data?: Record<string, string>; binaryData?: Record<string, string> }

const ObjectReference = closed({
  apiVersion: Type.Optional(Type.String()),
  kind: Type.Optional(Type.String()),
  namespace: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  uid: Type.Optional(Type.String()),
  resourceVersion: Type.Optional(Type.String()),
  fieldPath: Type.Optional(Type.String()),
})

export const EventSchema = closed(
  {
    apiVersion: Type.Literal('v1'),
    kind: Type.Literal('Event'),
    metadata: ObjectMeta,
    involvedObject: ObjectReference,
    type: Type.Optional(Type.Enum(['Normal', 'Warning'])),
    reason: Type.Optional(Type.String()),
    message: Type.Optional(Type.String()),
    count: Type.Optional(Type.Integer()),
    firstTimestamp: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    lastTimestamp: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    source: Type.Optional(closed({ component: Type.Optional(Type.String()), host: Type.Optional(Type.String()) })),
    reportingComponent: Type.Optional(Type.String()),
    reportingInstance: Type.Optional(Type.String()),
  },
  { description: 'Something that happened to an object.' },
)
export type EventResource = Resource & {
  involvedObject: Static<typeof ObjectReference>
  type?: 'Normal' | 'Warning'
  reason?: string
  message?: string
  count?: number
  firstTimestamp?: string | null
  lastTimestamp?: string | null
}
