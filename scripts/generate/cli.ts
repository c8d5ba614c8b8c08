import type { AnyCommand, Options } from '../../packages/kaon/src/cli/command.ts'
import { globalOptions } from '../../packages/kaon/src/cli/global-options.ts'
import { usageLine } from '../../packages/kaon/src/cli/help.ts'
import { commandEntries } from '../../packages/kaon/src/cli/registry.ts'

const cell = (text: string) => text.replaceAll('|', '\\|')

function optionRows(options: Options): string {
  const rows = Object.entries(options).map(([name, option]) => {
    const long = option.type === 'boolean' && option.default === true ? `--no-${name}` : `--${name}`
    const value = option.type === 'boolean' ? '' : ` ${option.value ?? option.type.toUpperCase()}`
    const fallback = option.default === undefined || option.type === 'boolean' ? '' : ` Default ${option.default}.`
    const environment = option.environment === undefined ? '' : ` \`${option.environment}\``
    return `| \`${option.short === undefined ? '' : `-${option.short}, `}${long}${cell(value)}\` | ${cell(option.description)}${fallback}${environment} |`
  })
  return rows.length === 0 ? '' : `\n| option | |\n|---|---|\n${rows.join('\n')}\n`
}

function section(command: AnyCommand): string {
  const examples = command.examples.map(({ does, line }: { does: string; line: string }) => `# ${does}\n${line}`).join('\n')
  return `## ${command.name}\n\n${command.description}\n\n\`\`\`sh\n${usageLine(command)}\n\n${examples}\n\`\`\`\n${optionRows(command.options)}`
}

/** The reference of every command, from the commands themselves. */
export async function cliReference(): Promise<string> {
  const commands = await Promise.all(commandEntries.filter((entry) => !entry.hidden).map((entry) => entry.load()))
  const exits =
    '0 fine · 1 failed · 2 used wrongly · 3 not found · 4 not allowed · 5 conflict · 6 timed out · 7 the function failed · 8 could not reach the server · 130 interrupted'
  return `# The command line\n\nMade from the commands in \`packages/kaon/src/cli/\` by \`npm run generate\`.\n\nExit codes: ${exits}.\n\n## Options of every command\n${optionRows(globalOptions)}\n${commands.map(section).join('\n')}`
}
