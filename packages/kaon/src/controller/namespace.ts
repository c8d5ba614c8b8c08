import { isKaonError } from '../base/errors.ts'
import type { NamespaceResource } from '../model/core.ts'
import { kinds } from '../model/kinds.ts'
import type { Store } from '../stores/store.ts'
import type { ControllerDeps } from './controllers.ts'
import { addFinalizer, parseQueueKey, removeFinalizer, requestDelete, resourceOf, withIdentity, writeStatus } from './objects.ts'
import type { Requeue } from './work-queue.ts'

/** The API puts it on every namespace that is created there. */
export const namespaceFinalizer = 'kaon.dev/contents'
const defaultNamespace = 'default'

/** A namespace that is deleted takes everything in it along; `default` is always there. */
export function createNamespaceController(deps: ControllerDeps): { reconcile(key: string): Promise<Requeue> } {
  const { caches, store, clock } = deps

  /** True when nothing is left. Asks the store, since a copy may not yet show what was made a moment ago. */
  async function empty(namespace: string): Promise<boolean> {
    let left = 0
    for (const kind of kinds.filter(({ namespaced }) => namespaced)) {
      const { items } = await store.list({ resource: resourceOf(kind.kind), namespace })
      left += items.length
      for (const item of items) await requestDelete(store, clock, item)
    }
    return left === 0
  }

  return {
    async reconcile(key) {
      const { name } = parseQueueKey(key)
      const namespace = caches.namespaces.get('', name)
      if (namespace === undefined) {
        if (name === defaultNamespace) await createDefaultNamespace(deps)
        return undefined
      }
      const { finalizers = [], deletionTimestamp } = namespace.metadata
      if (deletionTimestamp) {
        if (namespace.status?.phase !== 'Terminating') {
          await writeStatus(store, namespace, { phase: 'Terminating' })
          return { afterMs: 20 }
        }
        if (!(await empty(name))) return { afterMs: 100 }
        if (finalizers.includes(namespaceFinalizer)) await removeFinalizer(store, namespace, namespaceFinalizer)
        return undefined
      }
      if (!finalizers.includes(namespaceFinalizer)) await addFinalizer(store, namespace, namespaceFinalizer)
      else await writeStatus(store, namespace, { phase: 'Active' })
      return undefined
    },
  }
}

/** Makes the namespace `default` where it is missing. */
export async function createDefaultNamespace(
  deps: Pick<ControllerDeps, 'clock' | 'random'> & { store: Pick<Store, 'get' | 'write'> },
): Promise<void> {
  const namespace: NamespaceResource = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: defaultNamespace, finalizers: [namespaceFinalizer] },
    status: { phase: 'Active' },
  }
  const key = { resource: resourceOf('Namespace'), namespace: '', name: defaultNamespace }
  if ((await deps.store.get(key)) !== undefined) return
  await deps.store.write({ kind: 'create', key, object: withIdentity(namespace, deps) }).catch((error: unknown) => {
    if (!isKaonError(error) || error.code !== 'already_exists') throw error
  })
}
