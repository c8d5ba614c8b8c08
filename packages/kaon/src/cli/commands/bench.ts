import { KaonError } from '../../base/errors.ts'
import type { FunctionResource } from '../../model/function.ts'
import { type LoadPlan, type LoadResult, runLoad } from '../bench-load.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { formatData } from '../output/print.ts'
import { createProgress } from '../progress.ts'
import { functions, pathOf } from '../resource-api.ts'

export const bench = defineCommand({
  name: 'bench',
  description:
    'Calls a function over and over through the gateway and shows how fast it answers. Bounded, and only on this machine. Exits with 7 when a call failed or was answered with 400 or more.',
  arguments: { name: { description: 'The function.', complete: 'functions' } },
  options: {
    connections: { type: 'integer', short: 'c', value: 'N', default: 16, range: [1, 256], description: 'Calls in flight at a time.' },
    requests: {
      type: 'integer',
      short: 'r',
      value: 'N',
      default: 1_000_000,
      range: [1, 10_000_000],
      description: 'At most this many calls.',
    },
    duration: { type: 'duration', short: 't', value: 'DURATION', default: '5s', description: 'At most this long, up to 60s.' },
    data: { type: 'string', short: 'd', value: 'TEXT', description: 'A body to send.' },
    method: { type: 'string', short: 'X', value: 'METHOD', description: 'The method; otherwise POST with a body and GET without.' },
    path: { type: 'string', value: 'PATH', default: '/', description: "Path below the function's address." },
  },
  examples: [
    { does: 'five seconds with 16 connections', line: 'kaon bench hello' },
    { does: 'a thousand calls with a body', line: `kaon bench hello -c 4 -r 1000 -d '{"name":"Ada"}'` },
  ],
  async run(invocation) {
    const { args, options, api, settings, system, terminal, signal } = invocation
    if (options.duration > 60_000)
      throw new KaonError('usage', "Give '--duration' at most 60s: this measures a laptop, it does not replace a load generator.")
    const resource = await api.json<FunctionResource>('GET', pathOf(functions, settings.namespace, args.name))
    const body = options.data === undefined ? undefined : Buffer.from(options.data)
    const plan: LoadPlan = {
      target: targetOf(resource, options.path),
      method: options.method ?? (body === undefined ? 'GET' : 'POST'),
      headers: body === undefined ? {} : { 'content-type': /^\s*[[{]/.test(options.data ?? '') ? 'application/json' : 'text/plain' },
      body,
      connections: options.connections,
      requests: options.requests,
      durationMs: options.duration,
    }
    using progress = createProgress({ terminal, clock: system.clock, settings })
    progress.step(`Calling ${args.name} with ${options.connections} connections for up to ${options.duration / 1000} s`)
    const result = await runLoad(system, plan, signal)
    progress[Symbol.dispose]()
    await print(invocation, result)
    const bad = Object.entries(result.statuses).some(([status]) => Number(status) >= 400) || Object.keys(result.failures).length > 0
    return bad ? 7 : 0
  },
})

/** Only names of this machine: a load test of somebody else's is no test. */
function targetOf(resource: FunctionResource, path: string): LoadPlan['target'] {
  const url = URL.parse(resource.status?.url ?? '')
  if (url === null)
    throw new KaonError('revision_not_ready', `Function '${resource.metadata.name}' has no address yet.`, {
      hint: `See 'kaon describe function ${resource.metadata.name}'.`,
    })
  const isLoopback =
    url.hostname === 'localhost' || url.hostname.endsWith('.localhost') || /^127\./.test(url.hostname) || url.hostname === '[::1]'
  if (!isLoopback) throw new KaonError('usage', `'${url.host}' is not this machine: 'kaon bench' calls only loopback addresses.`)
  // Names below localhost are loopback by RFC 6761, but not every resolver knows.
  const hostname = url.hostname === '[::1]' ? '::1' : url.hostname.startsWith('127.') ? url.hostname : '127.0.0.1'
  return { hostname, port: Number(url.port || 80), host: url.host, path: path.startsWith('/') ? path : `/${path}` }
}

async function print({ settings, terminal }: CommandContext, result: LoadResult): Promise<void> {
  const { calls, elapsedMs, latency, statuses, failures, bytes } = result
  const rate = calls / (elapsedMs / 1000)
  const quantiles = {
    p50: latency.quantile(0.5),
    p90: latency.quantile(0.9),
    p99: latency.quantile(0.99),
    max: latency.maxMs,
    mean: latency.meanMs,
  }
  if (settings.output?.kind === 'json' || settings.output?.kind === 'yaml' || settings.output?.kind === 'jsonpath') {
    terminal.out(
      await formatData(settings.output, { calls, elapsedMs, callsPerSecond: rate, bytes, latencyMs: quantiles, statuses, failures }),
    )
    return
  }
  const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 1)} ms`
  const lines = [
    `${calls} calls in ${(elapsedMs / 1000).toFixed(2)} s: ${rate.toFixed(0)} a second`,
    `latency  ${Object.entries(quantiles)
      .map(([name, value]) => `${name} ${ms(value)}`)
      .join('   ')}`,
    `status   ${
      Object.entries(statuses)
        .map(([status, count]) => `${status} × ${count}`)
        .join('   ') || 'none'
    }`,
  ]
  if (Object.keys(failures).length > 0)
    lines.push(
      `failed   ${Object.entries(failures)
        .map(([cause, count]) => `${cause} × ${count}`)
        .join('   ')}`,
    )
  const rows = latency.rows(12)
  const most = Math.max(1, ...rows.map(([, count]) => count))
  for (const [upTo, count] of rows)
    lines.push(`${ms(upTo).padStart(12)}  ${'█'.repeat(Math.round((count / most) * 40)).padEnd(40)} ${count}`)
  terminal.out(`${lines.join('\n')}\n`)
}
