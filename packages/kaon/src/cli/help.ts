import type { AnyCommand, Option, Options } from './command.ts'
import { globalOptions } from './global-options.ts'
import { type CommandEntry, commandEntries } from './registry.ts'
import type { Style } from './terminal.ts'

const groupTitles: Record<CommandEntry['group'], string> = {
  platform: 'The platform',
  functions: 'Functions',
  resources: 'Resources',
  other: 'Other',
}

/** What `kaon --help` shows: every command in one line. */
export function renderOverview(style: Style): string {
  const width = Math.max(...commandEntries.map(({ name }) => name.length)) + 2
  const sections = Object.entries(groupTitles).map(([group, title]) => {
    const rows = commandEntries.filter((entry) => entry.group === group && !entry.hidden)
    return `${style.bold(title)}\n${rows.map(({ name, summary }) => `  ${style.cyan(name.padEnd(width))}${summary}`).join('\n')}\n`
  })
  return `Kaon runs functions: on this machine with one command, elsewhere with the same files.

${style.bold('Usage')}  kaon COMMAND [WORDS] [OPTIONS]

${sections.join('\n')}
${style.bold('For every command')}
${renderOptions(globalOptions, style)}
${style.bold('Examples')}
  kaon start --samples            start the platform with sample functions
  kaon init hello-ts hello        write a new function
  kaon deploy hello               build it, run it, print its address
  kaon invoke hello -d '{"a":1}'  call it

${style.bold('Exit codes')}  0 fine, 1 failed, 2 used wrongly, 3 not found, 4 not allowed, 5 conflict, 6 timed out,
            7 the function failed, 8 could not reach the server, 130 interrupted

'kaon COMMAND --help' explains one command.
`
}

/** Help of a group such as `secret`. */
export function renderGroup(group: string, style: Style): string {
  const rows = commandEntries.filter(({ name }) => name.startsWith(`${group} `))
  const width = Math.max(...rows.map(({ name }) => name.length)) + 2
  return `${style.bold('Usage')}  kaon ${group} COMMAND\n\n${rows.map(({ name, summary }) => `  ${style.cyan(name.padEnd(width))}${summary}`).join('\n')}\n`
}

/** Usage, description, options with their defaults, examples. */
export function renderCommand(command: AnyCommand, style: Style): string {
  const argumentRows = Object.entries(command.arguments as Record<string, { description: string; choices?: readonly string[] }>)
  const width = Math.max(0, ...argumentRows.map(([name]) => name.length)) + 2
  const parts = [`${style.bold('Usage')}  ${usageLine(command)}`, '', command.description, '']
  if (argumentRows.length > 0) {
    parts.push(style.bold('Words'))
    for (const [name, { description, choices }] of argumentRows)
      parts.push(
        `  ${style.cyan(name.toUpperCase().padEnd(width))}${description}${choices === undefined ? '' : ` One of ${choices.join(', ')}.`}`,
      )
    parts.push('')
  }
  if (Object.keys(command.options).length > 0) parts.push(style.bold('Options'), renderOptions(command.options, style))
  parts.push(style.bold('Examples'))
  for (const { does, line } of command.examples) parts.push(`  ${style.dim(`# ${does}`)}`, `  ${line}`)
  return `${parts.join('\n')}\n\nOptions of every command: kaon --help\n`
}

/** `kaon deploy [PATH] [options]`. */
export function usageLine(command: AnyCommand): string {
  const words = Object.entries(command.arguments as Record<string, { optional?: true; many?: true }>).map(([name, argument]) => {
    const word = `${name.toUpperCase()}${argument.many ? '…' : ''}`
    return argument.optional ? `[${word}]` : word
  })
  return ['kaon', command.name, ...words, '[options]'].join(' ')
}

function renderOptions(options: Options, style: Style): string {
  const rows = Object.entries(options).map(([name, option]) => [heading(name, option), explain(option)] as const)
  const width = Math.min(32, Math.max(...rows.map(([head]) => head.length))) + 2
  return `${rows.map(([head, text]) => `  ${style.cyan(head.padEnd(width))}${text}`).join('\n')}\n`
}

function heading(name: string, option: Option): string {
  const long = option.type === 'boolean' && option.default === true ? `--no-${name}` : `--${name}`
  const value = option.type === 'boolean' ? '' : ` ${option.value ?? option.type.toUpperCase()}`
  return `${option.short === undefined ? '    ' : `-${option.short}, `}${long}${value}`
}

function explain(option: Option): string {
  const facts: string[] = []
  if (option.choices !== undefined) facts.push(`one of ${option.choices.join(', ')}`)
  if (option.range !== undefined) facts.push(`${option.range[0]} to ${option.range[1]}`)
  if (option.default !== undefined && option.type !== 'boolean') facts.push(`default ${option.default}`)
  if (option.environment !== undefined) facts.push(option.environment)
  return facts.length === 0 ? option.description : `${option.description} (${facts.join('; ')})`
}
