// What an idle platform with ten functions holds: proportional set size (PSS) of each process, a minute after the last call.
import { TestPlatform } from '../test/e2e/harness/platform.ts'
import { until } from '../test/e2e/harness/wait.ts'
import { processesNaming, pssKib, table } from './measure.ts'

const part = (command: string): string => {
  if (command.includes('control-plane')) return 'control plane'
  if (command.includes('gateway')) return 'gateway'
  if (command.includes('processor')) return 'replicas and pool'
  if (command.includes('worker')) return 'worker processes'
  if (command.includes('esbuild')) return 'bundler'
  return 'launcher'
}

export async function idleMemory(): Promise<string> {
  await using platform = await new TestPlatform(['--samples']).start()
  await until(
    'ten functions to be ready',
    async () => {
      const { items } = (await platform.api('/apis/kaon.dev/v1/namespaces/default/functions')).json<{
        items: { status?: { replicas?: number } }[]
      }>()
      return items.length === 10 && items.every((item) => item.status?.replicas === 1)
    },
    120_000,
  )
  await platform.call('hello')
  await new Promise((resolve) => setTimeout(resolve, 45_000))
  const parts = new Map<string, { count: number; kib: number }>()
  for (const { pid, command } of processesNaming(platform.data)) {
    const name = part(command)
    const before = parts.get(name) ?? { count: 0, kib: 0 }
    parts.set(name, { count: before.count + 1, kib: before.kib + pssKib(pid) })
  }
  const total = [...parts.values()].reduce((sum, p) => sum + p.kib, 0)
  const rows = [...parts].map(([name, p]) => [name, String(p.count), (p.kib / 1024).toFixed(0)])
  return table(['part', 'processes', 'PSS MiB'], [...rows, ['**all**', '', `**${(total / 1024).toFixed(0)}** (bar: 450)`]])
}
