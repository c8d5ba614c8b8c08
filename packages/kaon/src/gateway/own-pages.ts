import { metricsContentType } from '../base/metrics.ts'
import type { RoutingTable } from '../model/routing-table.ts'

export type OwnPageFacts = {
  table: RoutingTable | undefined
  isControlPlaneAway: boolean
  domain: string
  port: number
  renderMetrics(): string
}

const maxListed = 200

/** The gateway's own pages, at its bare address: what it serves, how it is, and what it counted. */
export function ownPage(path: string, facts: OwnPageFacts): { status: number; headers: string[]; body: Buffer } {
  const text = 'text/plain; charset=utf-8'
  if (path === '/metrics') return page(200, metricsContentType, facts.renderMetrics())
  if (path === '/healthz') return page(200, text, 'ok\n')
  if (path === '/readyz') return facts.table === undefined ? page(503, text, 'no routing table yet\n') : page(200, text, 'ok\n')
  return page(200, text, frontPage(facts))
}

function page(status: number, contentType: string, body: string) {
  return { status, headers: ['content-type', contentType, 'cache-control', 'no-store'], body: Buffer.from(body) }
}

function frontPage({ table, domain, port, isControlPlaneAway }: OwnPageFacts): string {
  const functions = table?.functions ?? []
  const lines = functions
    .slice(0, maxListed)
    .map((fn) => `  http://${fn.name}.${fn.namespace}.${domain}:${port}/${fn.traffic.length > 0 ? '' : '   (not ready)'}`)
  const more = functions.length > maxListed ? [`  … and ${functions.length - maxListed} more`] : []
  return [
    'This is the gateway of Kaon: functions are called here.',
    ...(isControlPlaneAway ? ['The control plane is away; what was ready goes on being served.'] : []),
    '',
    ...(functions.length === 0 ? ['There is no function yet. Deploy one with: kaon deploy hello.ts'] : ['Functions:', ...lines, ...more]),
    '',
    'Each is also at /fn/{namespace}/{function}/ here. Health: /healthz /readyz. Metrics: /metrics.',
    '',
  ].join('\n')
}
