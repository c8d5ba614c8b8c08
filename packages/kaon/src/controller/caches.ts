import type { ConfigMapResource, NamespaceResource, SecretResource } from '../model/core.ts'
import type { FunctionResource } from '../model/function.ts'
import type { RevisionResource } from '../model/revision.ts'
import type { RouteResource } from '../model/route.ts'
import { Informer, type InformerDeps } from './informer.ts'
import { resourceOf } from './objects.ts'

/** Copies of everything that the controllers read. */
export type Caches = {
  namespaces: Informer<NamespaceResource>
  secrets: Informer<SecretResource>
  configMaps: Informer<ConfigMapResource>
  functions: Informer<FunctionResource>
  revisions: Informer<RevisionResource>
  routes: Informer<RouteResource>
}

export function createCaches(deps: InformerDeps): Caches {
  return {
    namespaces: new Informer(resourceOf('Namespace'), deps),
    secrets: new Informer(resourceOf('Secret'), deps),
    configMaps: new Informer(resourceOf('ConfigMap'), deps),
    functions: new Informer(resourceOf('Function'), deps),
    revisions: new Informer(resourceOf('Revision'), deps),
    routes: new Informer(resourceOf('Route'), deps),
  }
}
