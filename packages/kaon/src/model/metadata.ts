import { closed, labelKeyPattern, labelValuePattern, mapOf, type Static, subdomainPattern, Type, text } from './schema.ts'

export const OwnerReference = closed({
  apiVersion: text('API version of the owner.'),
  kind: text('Kind of the owner.'),
  name: text('Name of the owner.'),
  uid: text('UID of the owner.'),
  controller: Type.Optional(Type.Boolean({ description: 'Whether the owner is the managing controller.' })),
  blockOwnerDeletion: Type.Optional(Type.Boolean({ description: 'Whether a foreground deletion of the owner waits for this one.' })),
})

/** Kubernetes's ObjectMeta, as far as the platform keeps it. */
export const ObjectMeta = closed({
  name: Type.Optional(text('Unique within its kind and namespace.', { pattern: subdomainPattern, maxLength: 253 })),
  generateName: Type.Optional(text('A prefix from which the server makes a unique name.', { maxLength: 200 })),
  namespace: Type.Optional(text('The namespace; it cannot be changed.', { maxLength: 63 })),
  uid: Type.Optional(text('Set by the server.', { readOnly: true })),
  resourceVersion: Type.Optional(
    text('Opaque version of the stored object; give it to update only what you have seen.', { readOnly: true }),
  ),
  generation: Type.Optional(Type.Integer({ description: 'Counts the changes of spec. Set by the server.', readOnly: true })),
  creationTimestamp: Type.Optional(Type.Union([Type.String(), Type.Null()], { description: 'Set by the server.', readOnly: true })),
  deletionTimestamp: Type.Optional(
    Type.Union([Type.String(), Type.Null()], { description: 'Set by the server when deletion was asked for.', readOnly: true }),
  ),
  deletionGracePeriodSeconds: Type.Optional(Type.Integer({ description: 'Set by the server.', readOnly: true })),
  labels: Type.Optional(mapOf(labelKeyPattern, Type.String({ pattern: labelValuePattern }), { description: 'Short values to select by.' })),
  annotations: Type.Optional(mapOf(labelKeyPattern, Type.String({ maxLength: 262_144 }), { description: 'Values for tools and people.' })),
  ownerReferences: Type.Optional(Type.Array(OwnerReference, { description: 'Objects this one is deleted with.' })),
  finalizers: Type.Optional(Type.Array(Type.String(), { description: 'What must be cleaned up before the object is gone.' })),
  managedFields: Type.Optional(Type.Array(Type.Unknown(), { description: 'Who set which field.', readOnly: true })),
  selfLink: Type.Optional(Type.String({ description: 'Not used.', readOnly: true })),
})
export type ObjectMeta = Static<typeof ObjectMeta>

/** A condition as Kubernetes users know it. */
export const Condition = closed({
  type: text('Which aspect, as in Ready.'),
  status: Type.Enum(['True', 'False', 'Unknown']),
  reason: text('One word in CamelCase.'),
  message: text('A sentence for people.'),
  lastTransitionTime: text('When the status last changed.'),
  observedGeneration: Type.Optional(Type.Integer()),
})
export type Condition = Static<typeof Condition>

/** Any stored object. `metadata` of a stored one has name, uid, resourceVersion, generation and creationTimestamp. */
export type Resource = {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  spec?: unknown
  status?: unknown
  [field: string]: unknown
}

export type Stored<R extends Resource = Resource> = R & {
  metadata: ObjectMeta & { name: string; uid: string; resourceVersion: string; generation: number; creationTimestamp: string }
}

/** `conditions` with this one set; its transition time moves only when its status changes. */
export function setCondition(
  conditions: readonly Condition[] | undefined,
  next: Omit<Condition, 'lastTransitionTime'>,
  now: string,
): Condition[] {
  const before = conditions?.find((c) => c.type === next.type)
  const lastTransitionTime = before?.status === next.status ? before.lastTransitionTime : now
  const others = (conditions ?? []).filter((c) => c.type !== next.type)
  return [...others, { ...next, lastTransitionTime }].sort((a, b) => (a.type < b.type ? -1 : 1))
}

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((c) => c.type === type)
}
