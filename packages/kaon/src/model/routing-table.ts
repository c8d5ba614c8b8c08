// What the gateway knows: made by the control plane from the resources, sent whole, kept by the gateway on disk.
import type { RouteRule } from './route.ts'

export type RoutingTable = {
  /** Differs whenever the content does. */
  version: string
  functions: RoutedFunction[]
  revisions: RoutedRevision[]
  routes: RoutedRoute[]
}

export type RoutedFunction = {
  namespace: string
  name: string
  uid: string
  /** Shares of ready revisions, by uid; they add up to 100. Empty when none is ready. */
  traffic: { revisionUid: string; percent: number }[]
  /** Tag → revision uid. */
  tags: Record<string, string>
  /**
   * Why no revision is ready, for the answer; set when traffic is empty. With the code `revision_not_ready` one is on its way and calls wait for it;
   * with any other (`build_failed`, `start_failed`, …) none will come by itself and calls are refused at once.
   */
  notReady?: { code: string; message: string }
}

export type RoutedRevision = {
  uid: string
  name: string
  namespace: string
  function: string
  timeoutMs: number
  /** Requests in flight in one replica; 0 is unlimited. */
  concurrency: number
  /** Ready replicas: the gateway connects to each one's link socket. */
  replicas: { id: string; link: string }[]
}

export type RoutedRule = Omit<RouteRule, 'to' | 'timeout' | 'auth' | 'cors'> & {
  to: (
    | { kind: 'function'; namespace: string; function: string; revisionUid?: string; weight: number }
    | { kind: 'url'; url: string; weight: number }
  )[]
  timeoutMs?: number
  cors?: { origins: string[]; methods: string[]; headers: string[]; exposeHeaders: string[]; credentials: boolean; maxAgeSeconds: number }
  auth?: { kind: 'open' } | { kind: 'api-key'; header: string /** SHA-256 of each allowed key, hexadecimal. */; keyDigests: string[] }
}

export type RoutedRoute = { namespace: string; name: string; hosts: string[]; rules: RoutedRule[] }
