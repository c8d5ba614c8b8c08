// What an idle platform with ten functions holds: proportional set size (PSS) of each process, a minute after the last call.
import { TestPlatform } from '../test/e2e/harness/platform.ts'
import { until } from '../test/e2e/harness/wait.ts'
import { processesNaming, pssKib, table } from './measure.ts'

const parts: [RegExp, string][] = [
  [/bin\/kaon\.js/, 'launcher'],
  [/controlPlane-/, 'control plane'],
  [/\/gateway-\w+\.mjs/, 'gateway'],
  [/\/processor-/, 'replicas and pool'],
  [/\/process-/, 'worker processes'],
]
const part = (command: string): string => parts.find(([pattern]) => pattern.test(command))?.[1] ?? command.slice(0, 60)

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
  const sizes = new Map<string, { count: number; kib: number }>()
  for (const { pid, command } of processesNaming(platform.data)) {
    const name = part(command)
    const before = sizes.get(name) ?? { count: 0, kib: 0 }
    sizes.set(name, { count: before.count + 1, kib: before.kib + pssKib(pid) })
  }
  const total = [...sizes.values()].reduce((sum, p) => sum + p.kib, 0)
  const rows = [...sizes].map(([name, p]) => [name, String(p.count), (p.kib / 1024).toFixed(0)])
  return table(['part', 'processes', 'PSS MiB'], [...rows, ['**all**', '', `**${(total / 1024).toFixed(0)}** (bar: 450)`]])
}
