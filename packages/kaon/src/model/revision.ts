import { RevisionTemplate } from './function.ts'
import { Condition, ObjectMeta, type Resource } from './metadata.ts'
import { closed, type Static, Type, text } from './schema.ts'

export const RevisionStatus = closed({
  observedGeneration: Type.Optional(Type.Integer()),
  conditions: Type.Optional(Type.Array(Condition, { description: 'Built, Started and Ready.' })),
  artifact: Type.Optional(text('Digest of what was built.')),
  source: Type.Optional(text('What the source came to, as in a git commit.')),
  replicas: Type.Optional(Type.Integer({ description: 'Replicas wanted now.' })),
  readyReplicas: Type.Optional(Type.Integer({ description: 'Replicas ready now.' })),
  buildMs: Type.Optional(Type.Number({ description: 'How long the build took.' })),
})
export type RevisionStatus = Static<typeof RevisionStatus>

export const RevisionSchema = closed(
  {
    apiVersion: Type.Literal('kaon.dev/v1'),
    kind: Type.Literal('Revision'),
    metadata: ObjectMeta,
    spec: RevisionTemplate,
    status: Type.Optional(RevisionStatus),
  },
  { description: 'One immutable version of a function. Made by the platform.' },
)

export type RevisionResource = Resource & { spec: Static<typeof RevisionTemplate>; status?: RevisionStatus }

/** Labels and annotations that tie a revision to its function. */
export const functionLabel = 'kaon.dev/function'
export const specHashAnnotation = 'kaon.dev/spec-hash'

/** `hello-00001`: the name of the function's revision with this number. */
export function revisionName(functionName: string, number: number): string {
  return `${functionName}-${String(number).padStart(5, '0')}`
}

/** The number at the end of a revision's name; 0 when there is none. */
export function revisionNumber(name: string): number {
  return Number(/-(\d{5,})$/.exec(name)?.[1] ?? 0)
}
