import { delimiter, dirname } from 'node:path'
import { KaonError } from '../base/errors.ts'
import { redactCredentials } from '../base/redact-urls.ts'
import { runCommand } from '../base/run-command.ts'
import type { System } from '../base/system.ts'

const quotedLines = 15

type Work = { folder: string; log(line: string): void; signal: AbortSignal }
type Deps = Pick<System, 'processes' | 'clock'> & { environment: Readonly<Record<string, string>> }

/** Runs the author's own build commands one after the other in the source folder. Throws `build_failed` with the last lines of the one that failed. */
export async function runBuildCommands(commands: readonly (readonly string[])[], { folder, log, signal }: Work, deps: Deps): Promise<void> {
  // The platform's own Node comes first, so that scripts of npm and the like run with it.
  const path = [dirname(deps.processes.nodePath), deps.environment['PATH']].filter((part) => part !== undefined).join(delimiter)
  for (const [program, ...args] of commands as [string, ...string[]][]) {
    const shown = [program, ...args].join(' ')
    log(`Command: ${redactCredentials(shown)}`)
    const last: string[] = []
    const onLine = (line: string) => {
      log(redactCredentials(line))
      last.push(redactCredentials(line))
      if (last.length > quotedLines) last.shift()
    }
    const end = await runCommand({ program, args, folder, environment: { ...deps.environment, PATH: path }, signal, onLine }, deps)
    if ('missing' in end)
      throw new KaonError('build_failed', `The build command '${program}' was not found.`, {
        hint: 'Give each of spec.build.commands as a list of program and arguments; there is no shell.',
      })
    if (end.code !== 0)
      throw new KaonError(
        'build_failed',
        `The build command '${redactCredentials(shown)}' failed with exit code ${end.code}:\n${last.join('\n')}`,
      )
  }
}
