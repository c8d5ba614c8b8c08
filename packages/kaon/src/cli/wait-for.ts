import { KaonError } from '../base/errors.ts'
import type { Resource } from '../model/metadata.ts'
import type { CommandContext } from './command.ts'
import { find, pathOf, type ResourceType, watch } from './resource-api.ts'

type Context = Pick<CommandContext, 'api' | 'system' | 'signal'>

/** Resolves when `holds` is true of the object (undefined when there is none). Throws `timed_out`. */
export async function waitFor(
  { api, system, signal: outer }: Context,
  target: { type: ResourceType; namespace: string; name: string },
  holds: (object: Resource | undefined) => boolean,
  options: { timeoutMs: number; what: string },
): Promise<Resource | undefined> {
  const late = new AbortController()
  const signal = AbortSignal.any([late.signal, outer])
  const timer = system.clock.after(options.timeoutMs, () => late.abort())
  const { type, namespace, name } = target
  try {
    while (!signal.aborted) {
      const object = await find(api, pathOf(type, namespace, name), signal)
      if (holds(object)) return object
      const query = {
        fieldSelector: `metadata.name=${name}`,
        ...(object?.metadata.resourceVersion === undefined ? {} : { resourceVersion: object.metadata.resourceVersion }),
      }
      try {
        for await (const event of watch(api, pathOf(type, namespace), query, signal)) {
          if (event.type === 'BOOKMARK') continue
          const seen = event.type === 'DELETED' ? undefined : event.object
          if (holds(seen)) return seen
        }
      } catch (error) {
        if ((error as KaonError).code !== 'expired' && !signal.aborted) throw error
      }
      await system.clock.sleep(100, signal).catch(() => undefined)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    timer.cancel()
    late.abort()
  }
  if (outer.aborted) throw outer.reason
  throw new KaonError('timed_out', `${type.kind} '${name}' is not ${options.what} after ${options.timeoutMs / 1000} s.`, {
    hint: `See 'kaon describe ${type.kind.toLowerCase()} ${name}', or wait longer with --timeout.`,
  })
}

export async function waitGone(context: Context, type: ResourceType, namespace: string, name: string, timeoutMs: number): Promise<void> {
  await waitFor(context, { type, namespace, name }, (object) => object === undefined, { timeoutMs, what: 'gone' })
}
