import { type ChildProcess, type SpawnOptions, spawn as spawnWithAll } from 'node:child_process'
import { openSync, readdirSync, readFileSync } from 'node:fs'

const closeOnExec = 0o2000000

let inherited: { numbers: number[]; nothing: number } | undefined

/**
 * Starts a process that gets no descriptor but those of `stdio`. What was open in the shell that started Kaon would else be open in every
 * function: Node marks only the lowest of what it inherits, and for the others 'ignore' means to leave them as they are, so they are overlaid.
 * On macOS the system closes them itself.
 */
export function spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  inherited ??= lookUp()
  const { numbers, nothing } = inherited
  if (numbers.length === 0) return spawnWithAll(command, args, options)
  const given = options.stdio ?? 'pipe'
  const stdio = typeof given === 'string' ? [given, given, given] : [...given]
  const last = numbers.at(-1) as number
  while (stdio.length <= last) stdio.push(numbers.includes(stdio.length) ? nothing : 'ignore')
  return spawnWithAll(command, args, { ...options, stdio })
}

/** Nobody but who started this process can have left one without the mark: they are the same ones as long as it lives. */
function lookUp(): { numbers: number[]; nothing: number } {
  const numbers = openDescriptors().filter((number) => number > 2 && !isClosedOnExec(number))
  return { numbers, nothing: numbers.length === 0 ? -1 : openSync('/dev/null', 'r+') }
}

function openDescriptors(): number[] {
  try {
    const numbers = readdirSync('/proc/self/fdinfo').map(Number)
    return numbers.sort((a, b) => a - b)
  } catch {
    return []
  }
}

function isClosedOnExec(descriptor: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1]
    return flags === undefined || (Number.parseInt(flags, 8) & closeOnExec) !== 0
  } catch {
    // The one with which the folder was read.
    return true
  }
}
