import { KaonError } from './errors.ts'
import type { ChildProcess, Clock, Processes } from './system.ts'

/** Longer lines are cut, so that a tool that prints without end of line fills no memory. */
const longestLine = 16_384
/** How long a process may take to end after SIGTERM. */
const graceMs = 2_000

export type Command = {
  program: string
  args: readonly string[]
  folder: string
  /** All that it sees of the environment. */
  environment: Readonly<Record<string, string>>
  /** Its standard output and error, line by line. */
  onLine(line: string): void
  signal: AbortSignal
}

export type CommandEnd = { code: number } | { missing: true }

/**
 * Runs a program to its end, in a process group of its own and without input; `missing` when there is no such program.
 * An abort ends the whole group and rejects with the signal's reason once it is gone.
 */
export async function runCommand(command: Command, deps: { processes: Processes; clock: Pick<Clock, 'after'> }): Promise<CommandEnd> {
  command.signal.throwIfAborted()
  const child = deps.processes.spawn(command.program, command.args, {
    cwd: command.folder,
    env: { ...command.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    shell: false,
  })
  const stop = () => stopGroup(child, deps)
  command.signal.addEventListener('abort', stop, { once: true })
  const lines = [child.stdout, child.stderr].map((stream) => forwardLines(stream, command.onLine))
  try {
    const end = await ended(child)
    if (child.pid !== undefined) killGroup(deps.processes, child.pid, 'SIGKILL')
    await allRead(child, lines, deps.clock)
    command.signal.throwIfAborted()
    return end
  } finally {
    command.signal.removeEventListener('abort', stop)
  }
}

function ended(child: ChildProcess): Promise<CommandEnd> {
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' || error.code === 'EACCES'
        ? resolve({ missing: true })
        : reject(new KaonError('internal', 'A program could not be started.', { cause: error })),
    )
    child.once('exit', (code) => resolve({ code: code ?? 1 }))
  })
}

function stopGroup(child: ChildProcess, deps: { processes: Processes; clock: Pick<Clock, 'after'> }): void {
  const { pid } = child
  if (pid === undefined) return
  killGroup(deps.processes, pid, 'SIGTERM')
  const timer = deps.clock.after(graceMs, () => killGroup(deps.processes, pid, 'SIGKILL'), { idle: true })
  child.once('exit', () => timer.cancel())
}

/** What a process that left its group still holds open is not waited for: the end of the leader is the end of the command. */
async function allRead(child: ChildProcess, lines: Promise<void>[], clock: Pick<Clock, 'after'>): Promise<void> {
  const timer = clock.after(graceMs, () => {
    child.stdout?.destroy()
    child.stderr?.destroy()
  })
  await Promise.all(lines)
  timer.cancel()
}

function killGroup(processes: Processes, pid: number, signal: NodeJS.Signals): void {
  processes.kill(-pid, signal)
}

function forwardLines(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): Promise<void> {
  if (stream === null) return Promise.resolve()
  let held = ''
  stream.setEncoding('utf8')
  return new Promise((resolve) => {
    stream.on('data', (chunk: string) => {
      const lines = (held + chunk).split(/\r?\n/)
      held = (lines.pop() as string).slice(0, longestLine)
      for (const line of lines) onLine(line.slice(0, longestLine))
    })
    stream.once('error', () => resolve())
    stream.once('close', () => {
      if (held !== '') onLine(held)
      resolve()
    })
  })
}
