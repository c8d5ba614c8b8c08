import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { LoadOptions, LoadResult } from './load.ts'

export const cores = { server: '0', load: '1' }
const canPin = existsSync('/usr/bin/taskset')

/** A command pinned to a core where the system can do that. */
export function pinned(core: string, command: string[]): [string, string[]] {
  const all = canPin ? ['taskset', '-c', core, ...command] : command
  return [all[0] as string, all.slice(1)]
}

/** Runs the load from the other core and waits for its figures. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const [command, args] = pinned(cores.load, [process.execPath, join(import.meta.dirname, 'load.ts'), JSON.stringify(options)])
  const { stdout } = await promisify(execFile)(command, args)
  const result = JSON.parse(stdout) as LoadResult
  if (result.wrong > 0) throw new Error(`${result.wrong} of ${result.requests} answers were wrong`)
  return result
}

/** User and system time that these processes have spent, in microseconds. Linux only; NaN elsewhere. */
export function cpuMicroseconds(pids: number[]): number {
  const ticks = Number(execFileSync('getconf', ['CLK_TCK']).toString())
  let total = 0
  for (const pid of pids) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      total += ((Number(fields[11]) + Number(fields[12])) / ticks) * 1e6
    } catch {
      if (!existsSync('/proc/self/stat')) return Number.NaN
    }
  }
  return total
}

/** Processes whose command line names `text`, with that command line. Linux only. */
export function processesNaming(text: string): { pid: number; command: string }[] {
  const found: { pid: number; command: string }[] = []
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
      if (command.includes(text) && Number(name) !== process.pid) found.push({ pid: Number(name), command })
    } catch {
      // It ended meanwhile.
    }
  }
  return found
}

/** Proportional set size in KiB: shared pages are counted once over all who share them. */
export function pssKib(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
}

export type Spread = { min: number; median: number; max: number }

export function spread(values: number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  return { min: sorted[0] as number, median: sorted[Math.floor(sorted.length / 2)] as number, max: sorted.at(-1) as number }
}

export function show({ min, median, max }: Spread, digits = 0): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`
}

/** A Markdown table. */
export function table(header: string[], rows: string[][]): string {
  return [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}
