import { kubernetesTime } from '../base/time.ts'
import { type Stored, setCondition } from '../model/metadata.ts'
import type { RouteResource, RouteRule } from '../model/route.ts'
import type { ControllerDeps } from './controllers.ts'
import { parseQueueKey, writeStatus } from './objects.ts'
import { functionKeyOf } from './routing.ts'
import type { Requeue } from './work-queue.ts'

type Problem = { reason: 'MissingFunction' | 'MissingRevision' | 'MissingSecret'; message: string }

/** Tells whether everything that a route leads to is there. What the gateway does with it is in the routing table. */
export function createRouteController({ caches, store, clock }: Pick<ControllerDeps, 'caches' | 'store' | 'clock'>): {
  reconcile(key: string): Promise<Requeue>
} {
  function problemsOf(namespace: string, rule: RouteRule): Problem[] {
    const problems: Problem[] = []
    for (const { function: name, revision } of rule.to) {
      if (name === undefined) continue
      if (caches.functions.get(namespace, name) === undefined)
        problems.push({ reason: 'MissingFunction', message: `There is no function '${name}'.` })
      const named = revision === undefined ? undefined : caches.revisions.get(namespace, revision)
      if (revision !== undefined && (named === undefined || functionKeyOf(named) !== `${namespace}/${name}`))
        problems.push({ reason: 'MissingRevision', message: `Function '${name}' has no revision '${revision}'.` })
    }
    const secret = rule.auth?.apiKey?.secret
    if (secret !== undefined && caches.secrets.get(namespace, secret) === undefined)
      problems.push({ reason: 'MissingSecret', message: `There is no secret '${secret}': nobody is let in.` })
    return problems
  }

  return {
    async reconcile(key) {
      const { namespace, name } = parseQueueKey(key)
      const route: Stored<RouteResource> | undefined = caches.routes.get(namespace, name)
      if (route === undefined || route.metadata.deletionTimestamp) return undefined
      const [first, ...others] = route.spec.rules.flatMap((rule) => problemsOf(namespace, rule))
      const { generation } = route.metadata
      const verdict =
        first === undefined
          ? ({ status: 'True', reason: 'Ready', message: '' } as const)
          : ({
              status: 'False',
              reason: first.reason,
              message: [...new Set([first, ...others].map(({ message }) => message))].join(' '),
            } as const)
      const conditions = setCondition(
        route.status?.conditions,
        { type: 'Ready', ...verdict, observedGeneration: generation },
        kubernetesTime(clock.now()),
      )
      await writeStatus(store, route, { observedGeneration: generation, conditions })
      return undefined
    },
  }
}
