import type { ErrorCode } from '../base/errors.ts'
import { type Condition, findCondition, setCondition } from '../model/metadata.ts'
import type { RevisionStatus } from '../model/revision.ts'
import type { ObservedReplica } from '../platforms/platform.ts'
import type { BuildState } from './builds.ts'
import type { NextCondition } from './objects.ts'
import { isServing } from './routing.ts'

/** How long a first start may take before it is called failed; it is still tried on. */
export const startDeadlineMs = 60_000

/** Starts that fail because of what the author wrote; starting again would change nothing. */
const finalStartCodes: readonly string[] = ['handler_missing', 'handler_invalid'] satisfies ErrorCode[]

type Verdict = Pick<NextCondition, 'status' | 'reason' | 'message'>

/** `HandlerMissing` for `handler_missing`: reasons are the error table's codes as Kubernetes writes words. */
export function reasonOf(code: string): string {
  return code.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/** How it stands with the build: what this life of the platform knows, or what an earlier one wrote into the status. */
export type BuildFacts = BuildState | { kind: 'artifact' } | { kind: 'superseded' } | { kind: 'refused'; before: Condition }

/** Whether the build failed by what the author wrote: building again would change nothing. */
export function isFinalBuild(built: Condition): boolean {
  return built.status === 'False' && built.reason !== reasonOf('dependencies_failed')
}

/** Built = False is final; Unknown is under way or will be tried again. */
export function builtVerdict(build: BuildFacts): Verdict {
  switch (build.kind) {
    case 'superseded':
      return { status: 'Unknown', reason: 'Superseded', message: 'A newer revision came before this one was built.' }
    case 'refused':
      return build.before
    case 'artifact':
    case 'built':
      return { status: 'True', reason: 'Built', message: '' }
    case 'waiting':
      return { status: 'Unknown', reason: 'Waiting', message: 'Waiting for other builds.' }
    case 'building':
      return { status: 'Unknown', reason: 'Building', message: 'The source is being built.' }
    case 'failed': {
      const { error, lastLines, retryAtMs } = build
      const lines = error.code === 'internal' || lastLines.length === 0 ? '' : `\n${lastLines.join('\n')}`
      const again = retryAtMs === undefined ? '' : ' It will be tried again.'
      const hint = error.hint === undefined ? '' : ` ${error.hint}`
      const isFinal = retryAtMs === undefined || error.code === 'dependencies_failed'
      return { status: isFinal ? 'False' : 'Unknown', reason: reasonOf(error.code), message: `${error.message}${hint}${again}${lines}` }
    }
    default:
      return build satisfies never
  }
}

export type StartFacts = {
  isBuilt: boolean
  before: Condition | undefined
  wanted: number
  replicas: readonly ObservedReplica[]
  missing: readonly string[]
  /** How long it has been starting. */
  startingForMs: number
}

/** Started stays True once all the first replicas were ready; until then it tells why not. */
export function startedVerdict({ isBuilt, before, wanted, replicas, missing, startingForMs }: StartFacts): Verdict {
  if (before?.status === 'True') return before
  const ready = replicas.filter(isServing).length
  if (wanted > 0 && ready >= wanted) return { status: 'True', reason: 'Started', message: '' }
  if (missing.length > 0) return { status: 'False', reason: 'MissingReference', message: missing.join(' ') }
  if (before !== undefined && isFinalStart(before)) return before
  const failure = latestFailure(replicas)
  if (failure !== undefined) return { status: 'False', reason: reasonOf(failure.code), message: failure.message }
  // A failed start is under way again: until it succeeds what is known is why it failed.
  if (wanted > 0 && before?.status === 'False' && before.reason !== 'MissingReference') return before
  if (!isBuilt) return { status: 'Unknown', reason: 'NotBuilt', message: 'It starts when it is built.' }
  if (wanted === 0) return { status: 'Unknown', reason: 'NotNeeded', message: 'Nothing asks for this revision.' }
  if (startingForMs > startDeadlineMs)
    return {
      status: 'False',
      reason: 'StartTimedOut',
      message: `No replica was ready after ${startDeadlineMs / 1000} s. It is still being tried.`,
    }
  return { status: 'Unknown', reason: 'Starting', message: `${ready} of ${wanted} replicas are ready.` }
}

/** Whether starting again would change nothing. */
export function isFinalStart(started: Condition | undefined): boolean {
  return started?.status === 'False' && finalStartCodes.some((code) => reasonOf(code) === started.reason)
}

function latestFailure(replicas: readonly ObservedReplica[]): { code: string; message: string } | undefined {
  return replicas.findLast((replica) => replica.failure !== undefined && replica.phase !== 'draining')?.failure
}

export type ReadyFacts = {
  built: Verdict
  started: Verdict
  wanted: number
  replicas: readonly ObservedReplica[]
  missing: readonly string[]
}

export function readyVerdict({ built, started, wanted, replicas, missing }: ReadyFacts): Verdict {
  if (built.status !== 'True') return built
  if (started.status !== 'True') return started
  if (wanted === 0) return { status: 'True', reason: 'Idle', message: 'It takes no traffic and has no replicas.' }
  const note = missing.length === 0 ? '' : `Running replicas keep the old values: ${missing.join(' ')}`
  if (replicas.some(isServing)) return { status: 'True', reason: 'Ready', message: note }
  if (missing.length > 0) return { status: 'False', reason: 'MissingReference', message: missing.join(' ') }
  const failure = latestFailure(replicas)
  if (failure !== undefined) return { status: 'False', reason: reasonOf(failure.code), message: failure.message }
  return { status: 'Unknown', reason: 'Starting', message: `0 of ${wanted} replicas are ready.` }
}

export type StatusFacts = {
  before: RevisionStatus | undefined
  generation: number
  now: string
  wanted: number
  replicas: readonly ObservedReplica[]
  missing: readonly string[]
  build: BuildFacts
  startingForMs: number
}

/** The status of a revision out of what is known of it. */
export function revisionStatus(facts: StatusFacts): RevisionStatus {
  const { before, wanted, replicas, missing, build, generation, now } = facts
  const built = builtVerdict(build)
  const started = startedVerdict({ ...facts, isBuilt: built.status === 'True', before: findCondition(before?.conditions, 'Started') })
  const ready = readyVerdict({ built, started, wanted, replicas, missing })
  let conditions = before?.conditions ?? []
  for (const [type, { status, reason, message }] of Object.entries({ Built: built, Started: started, Ready: ready }))
    conditions = setCondition(conditions, { type, status, reason, message, observedGeneration: generation }, now)
  const result =
    build.kind === 'built'
      ? { artifact: build.result.manifest.digest, source: build.result.source, buildMs: Math.round(build.durationMs) }
      : {}
  return {
    ...before,
    ...result,
    observedGeneration: generation,
    conditions,
    replicas: wanted,
    readyReplicas: replicas.filter(isServing).length,
  }
}
