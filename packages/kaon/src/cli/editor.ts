import { KaonError } from '../base/errors.ts'
import type { CommandContext } from './command.ts'

/** Opens a file in the user's editor and resolves when that ends. Throws `usage` when it cannot be started or ends with an error. */
export async function openEditor({ host, system }: Pick<CommandContext, 'host' | 'system'>, file: string): Promise<void> {
  const { environment } = host
  const command = environment['KAON_EDITOR'] || environment['VISUAL'] || environment['EDITOR'] || 'vi'
  const [program, ...words] = splitWords(command)
  if (program === undefined) throw new KaonError('usage', `The editor '${command}' is no command.`)
  const end = await new Promise<number | string | null>((resolve, reject) => {
    const child = system.processes.spawn(program, [...words, file], { stdio: 'inherit' })
    child.on('error', (cause) =>
      reject(new KaonError('usage', `The editor '${program}' cannot be started.`, { cause, hint: 'Set EDITOR to one that is there.' })),
    )
    child.on('exit', (code, signal) => resolve(code ?? signal))
  })
  if (end !== 0) throw new KaonError('usage', `The editor '${program}' ended with ${end}; nothing was changed.`)
}

/** Words of a command as a shell would split them, without a shell: quotes and backslashes, nothing else. */
export function splitWords(command: string): string[] {
  return [...command.matchAll(/(?:[^\s"'\\]+|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/g)].map(([word]) =>
    word.replace(
      /\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/g,
      (_all, escaped, double, single) => escaped ?? single ?? double.replace(/\\(["\\])/g, '$1'),
    ),
  )
}
