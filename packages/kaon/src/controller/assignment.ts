import { createHmac } from 'node:crypto'
import { durationMs, parseQuantity } from '../base/units.ts'
import type { ReplicaAssignment } from '../model/assignment.ts'
import type { FunctionResource } from '../model/function.ts'
import type { Stored } from '../model/metadata.ts'
import type { RevisionResource } from '../model/revision.ts'
import { canonicalJson } from './canonical-json.ts'
import type { ResolvedReferences } from './references.ts'

export type AssignmentInputs = {
  fn: Stored<FunctionResource>
  revision: Stored<RevisionResource>
  references: ResolvedReferences
  artifactFolder: string
  logFolder: string
  gatewaySocket: string
}

/** Everything that a replica of this revision needs to know, with the values of this moment. */
export function assignmentOf(inputs: AssignmentInputs): ReplicaAssignment {
  const { fn, revision, references } = inputs
  const { spec, metadata } = revision
  const namespace = metadata.namespace ?? ''
  return {
    namespace,
    function: fn.metadata.name,
    functionUid: fn.metadata.uid,
    revision: metadata.name,
    revisionUid: metadata.uid,
    runtime: spec.runtime,
    artifactFolder: inputs.artifactFolder,
    env: {
      K_SERVICE: fn.metadata.name,
      K_REVISION: metadata.name,
      K_CONFIGURATION: fn.metadata.name,
      KAON_NAMESPACE: namespace,
      ...references.env,
    },
    secrets: references.secrets,
    files: references.files,
    workers: spec.workers,
    isolation: spec.isolation,
    concurrency: spec.concurrency,
    timeoutMs: durationMs(spec.timeout),
    memoryBytes: parseQuantity(spec.resources.memory) ?? 128 * 2 ** 20,
    logLevel: fn.spec.logging.level,
    logFolder: inputs.logFolder,
    gatewaySocket: inputs.gatewaySocket,
  }
}

/** Differs when a replica would be given other values. A keyed hash, so that nobody who sees it can try out values. */
export function configVersionOf(references: ResolvedReferences, logLevel: string, salt: Buffer): string {
  const { env, secrets, files } = references
  return createHmac('sha256', salt).update(canonicalJson({ env, secrets, files, logLevel })).digest('hex').slice(0, 32)
}
