import { type ErrorCode, errorTable, KaonError } from '../../base/errors.ts'
import type { System } from '../../base/system.ts'
import type { FunctionResource } from '../../model/function.ts'
import type { ApiClient } from '../api-client.ts'
import type { Progress } from '../progress.ts'
import { find, functions, pathOf, watch } from '../resource-api.ts'
import { missingReferenceHint } from './missing-reference.ts'

export type AwaitReadyDeps = { api: ApiClient; clock: System['clock']; progress: Progress }

/** A build that takes longer than this is worth reading along. */
const showBuildAfterMs = 600

/**
 * Follows a function that was just written until it is ready, and gives it as it then stands.
 * Throws `build_failed`, `start_failed` or whatever its condition names when it fails, `timed_out` after `timeoutMs`.
 */
export async function awaitReady(
  deps: AwaitReadyDeps,
  written: FunctionResource,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<FunctionResource> {
  const end = new AbortController()
  const signal = AbortSignal.any([end.signal, options.signal])
  let current = written
  let isLate = false
  const timer = deps.clock.after(options.timeoutMs, () => {
    isLate = true
    end.abort()
  })
  const buildTimer = deps.clock.after(showBuildAfterMs, () => void showBuild(deps, () => current, signal))
  try {
    for await (const state of states(deps, written, signal)) {
      current = state
      const verdict = judge(state, written.metadata.generation ?? 0)
      if (verdict.kind === 'ready') return state
      if (verdict.kind === 'failed') throw verdict.error
      deps.progress.step(verdict.doing)
    }
    if (isLate) throw tooLate(current, options.timeoutMs)
    throw options.signal.reason
  } finally {
    timer.cancel()
    buildTimer.cancel()
    end.abort()
  }
}

/** The function now and after each change; breaks of the watch are mended until `signal` says enough. */
async function* states(deps: AwaitReadyDeps, written: FunctionResource, signal: AbortSignal): AsyncGenerator<FunctionResource> {
  const { namespace, name = '' } = written.metadata
  const collection = pathOf(functions, namespace)
  let current = written
  yield current
  while (!signal.aborted) {
    try {
      const query = { fieldSelector: `metadata.name=${name}`, resourceVersion: current.metadata.resourceVersion ?? '' }
      for await (const { type, object } of watch(deps.api, collection, query, signal)) {
        if (type === 'BOOKMARK') continue
        if (type === 'DELETED') throw new KaonError('not_found', `Function '${namespace}/${name}' was deleted meanwhile.`)
        current = object as FunctionResource
        yield current
      }
    } catch (error) {
      if (signal.aborted) return
      const { code } = error as KaonError
      if (code !== 'expired' && code !== 'store_unavailable' && code !== 'server_unreachable') throw error
    }
    if (signal.aborted) return
    await deps.clock.sleep(100, signal).catch(() => undefined)
    const seen = await find<FunctionResource>(deps.api, pathOf(functions, namespace, name), signal).catch((error: KaonError) => {
      if (signal.aborted || error.code === 'server_unreachable') return current
      throw error
    })
    if (seen === undefined) throw new KaonError('not_found', `Function '${namespace}/${name}' was deleted meanwhile.`)
    current = seen
    yield current
  }
}

type Verdict = { kind: 'ready' } | { kind: 'failed'; error: KaonError } | { kind: 'pending'; doing: string }

/** Whether the function stands as generation `generation` asked. */
export function judge(resource: FunctionResource, generation: number): Verdict {
  const { status, metadata } = resource
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  if (ready === undefined || (ready.observedGeneration ?? status?.observedGeneration ?? 0) < generation)
    return { kind: 'pending', doing: 'Accepted' }
  if (ready.status === 'True') return { kind: 'ready' }
  if (ready.status === 'Unknown') return { kind: 'pending', doing: ready.message || ready.reason }
  const code = codeOfReason(ready.reason)
  const error = new KaonError(code, `Function '${metadata.name}' is not ready: ${ready.message}`, {
    hint:
      (ready.reason === 'MissingReference' ? missingReferenceHint(resource, ready.message) : undefined) ?? generalHint(code, metadata.name),
  })
  return { kind: 'failed', error }
}

function generalHint(code: ErrorCode, name = ''): string {
  if (code === 'start_failed') return `See 'kaon logs ${name}' and 'kaon describe function ${name}'.`
  return `Mend it and deploy again; 'kaon describe function ${name}' tells the story.`
}

/** `BuildFailed` is `build_failed`; a reason that is no code of ours is a failed start. */
function codeOfReason(reason: string): ErrorCode {
  const code = reason.replace(/(?!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase()
  return Object.hasOwn(errorTable, code) ? (code as ErrorCode) : reason.startsWith('Build') ? 'build_failed' : 'start_failed'
}

function tooLate(resource: FunctionResource, timeoutMs: number): KaonError {
  const { name } = resource.metadata
  const ready = resource.status?.conditions?.find(({ type }) => type === 'Ready')
  return new KaonError(
    'timed_out',
    `Function '${name}' is not ready after ${timeoutMs / 1000} s${ready === undefined ? '' : `: ${ready.message}`}.`,
    {
      hint: `It goes on without you: see 'kaon get function ${name} -w', or wait longer with --timeout-wait.`,
    },
  )
}

async function showBuild({ api, progress }: AwaitReadyDeps, current: () => FunctionResource, signal: AbortSignal): Promise<void> {
  const { metadata, status } = current()
  const revision = status?.latestCreatedRevision
  if (revision === undefined) return
  const search = new URLSearchParams({ revision, follow: '1' })
  try {
    for await (const line of api.lines(`${pathOf(functions, metadata.namespace, metadata.name)}/build?${search}`, signal))
      progress.note(line)
  } catch {
    // The log is company, not news: what matters comes with the conditions.
  }
}
