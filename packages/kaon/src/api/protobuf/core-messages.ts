/** What a field holds: a scalar, `time` as RFC 3339, `bytes` as base64, a message, or a map from strings. */
export type FieldType = 'string' | 'bytes' | 'boolean' | 'integer' | 'time' | Message | { mapOf: 'string' | 'bytes' }
export type Message = { fields: Readonly<Record<number, Field>> }
export type Field = { name: string; type: FieldType; repeated?: true }

/* Field numbers are those of k8s.io/api/core/v1 and k8s.io/apimachinery/pkg/apis/meta/v1, generated.proto. What is not listed is not kept. */

const ownerReference: Message = {
  fields: {
    1: { name: 'kind', type: 'string' },
    3: { name: 'name', type: 'string' },
    4: { name: 'uid', type: 'string' },
    5: { name: 'apiVersion', type: 'string' },
    6: { name: 'controller', type: 'boolean' },
    7: { name: 'blockOwnerDeletion', type: 'boolean' },
  },
}

const objectMeta: Message = {
  fields: {
    1: { name: 'name', type: 'string' },
    2: { name: 'generateName', type: 'string' },
    3: { name: 'namespace', type: 'string' },
    5: { name: 'uid', type: 'string' },
    6: { name: 'resourceVersion', type: 'string' },
    7: { name: 'generation', type: 'integer' },
    8: { name: 'creationTimestamp', type: 'time' },
    9: { name: 'deletionTimestamp', type: 'time' },
    10: { name: 'deletionGracePeriodSeconds', type: 'integer' },
    11: { name: 'labels', type: { mapOf: 'string' } },
    12: { name: 'annotations', type: { mapOf: 'string' } },
    13: { name: 'ownerReferences', type: ownerReference, repeated: true },
    14: { name: 'finalizers', type: 'string', repeated: true },
  },
}

const finalizers: Message = { fields: { 1: { name: 'finalizers', type: 'string', repeated: true } } }
const phase: Message = { fields: { 1: { name: 'phase', type: 'string' } } }
const preconditions: Message = { fields: { 1: { name: 'uid', type: 'string' }, 2: { name: 'resourceVersion', type: 'string' } } }

const objectReference: Message = {
  fields: {
    1: { name: 'kind', type: 'string' },
    2: { name: 'namespace', type: 'string' },
    3: { name: 'name', type: 'string' },
    4: { name: 'uid', type: 'string' },
    5: { name: 'apiVersion', type: 'string' },
    6: { name: 'resourceVersion', type: 'string' },
    7: { name: 'fieldPath', type: 'string' },
  },
}

const eventSource: Message = { fields: { 1: { name: 'component', type: 'string' }, 2: { name: 'host', type: 'string' } } }

/** The messages that clients of the core kinds send. */
export const coreMessages: Readonly<Record<string, Message>> = {
  Namespace: {
    fields: {
      1: { name: 'metadata', type: objectMeta },
      2: { name: 'spec', type: finalizers },
      3: { name: 'status', type: phase },
    },
  },
  Secret: {
    fields: {
      1: { name: 'metadata', type: objectMeta },
      2: { name: 'data', type: { mapOf: 'bytes' } },
      3: { name: 'type', type: 'string' },
      4: { name: 'stringData', type: { mapOf: 'string' } },
      5: { name: 'immutable', type: 'boolean' },
    },
  },
  ConfigMap: {
    fields: {
      1: { name: 'metadata', type: objectMeta },
      2: { name: 'data', type: { mapOf: 'string' } },
      3: { name: 'binaryData', type: { mapOf: 'bytes' } },
      4: { name: 'immutable', type: 'boolean' },
    },
  },
  Event: {
    fields: {
      1: { name: 'metadata', type: objectMeta },
      2: { name: 'involvedObject', type: objectReference },
      3: { name: 'reason', type: 'string' },
      4: { name: 'message', type: 'string' },
      5: { name: 'source', type: eventSource },
      6: { name: 'firstTimestamp', type: 'time' },
      7: { name: 'lastTimestamp', type: 'time' },
      8: { name: 'count', type: 'integer' },
      9: { name: 'type', type: 'string' },
      14: { name: 'reportingComponent', type: 'string' },
      15: { name: 'reportingInstance', type: 'string' },
    },
  },
  DeleteOptions: {
    fields: {
      1: { name: 'gracePeriodSeconds', type: 'integer' },
      2: { name: 'preconditions', type: preconditions },
      3: { name: 'orphanDependents', type: 'boolean' },
      4: { name: 'propagationPolicy', type: 'string' },
      5: { name: 'dryRun', type: 'string', repeated: true },
    },
  },
}
