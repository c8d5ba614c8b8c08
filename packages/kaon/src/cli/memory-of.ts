import type { System } from '../base/system.ts'
import { captureOutput } from './run-tool.ts'

/** Memory of processes by id, in bytes: their proportional share on Linux (PSS), what is resident elsewhere. Those that are gone are left out. */
export async function memoryOf(
  system: Pick<System, 'files' | 'processes' | 'clock'>,
  pids: readonly number[],
): Promise<Map<number, number>> {
  const found = new Map<number, number>()
  await Promise.all(
    pids.map(async (pid) => {
      const text = await system.files.readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '')
      const kib = /^Pss:\s+(\d+) kB/m.exec(text)?.[1]
      if (kib !== undefined) found.set(pid, Number(kib) * 1024)
    }),
  )
  const rest = pids.filter((pid) => !found.has(pid))
  if (rest.length === 0) return found
  const table = (await captureOutput(system, 'ps', ['-o', 'pid=,rss=', '-p', rest.join(',')])) ?? ''
  for (const [, pid, kib] of table.matchAll(/^\s*(\d+)\s+(\d+)\s*$/gm)) found.set(Number(pid), Number(kib) * 1024)
  return found
}
