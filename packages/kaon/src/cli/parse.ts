import { type ParseArgsOptionDescriptor, parseArgs } from 'node:util'
import { closestWord } from '../base/closest-word.ts'
import { KaonError } from '../base/errors.ts'
import { parseDuration } from '../base/units.ts'
import type { AnyCommand, Arguments, Option, Options } from './command.ts'

export type Environment = Readonly<Record<string, string | undefined>>
export type Parsed = { args: Record<string, string | string[] | undefined>; options: Record<string, unknown>; given: Set<string> }

function usage(message: string, hint?: string): KaonError {
  return new KaonError('usage', message, hint === undefined ? {} : { hint })
}

/** The words after a command's name, checked against what the command says of itself. Throws `usage`. */
export function parseWords(
  command: Pick<AnyCommand, 'name' | 'arguments' | 'options'>,
  words: readonly string[],
  environment: Environment,
): Parsed {
  const specs: Options = command.options
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(Object.entries(specs).map(([name, option]) => [name, descriptor(option)])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const positionals: string[] = []
  const options: Record<string, unknown> = {}
  const given = new Set<string>()
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const { name, value } = readOption(specs, token, command.name)
    given.add(name)
    if (specs[name]!.type === 'strings') options[name] = [...((options[name] as string[] | undefined) ?? []), value]
    else options[name] = value
  }
  for (const [name, option] of Object.entries(specs)) if (!given.has(name)) options[name] = fallback(name, option, environment)
  return { args: options['help'] === true ? {} : readArguments(command, positionals), options, given }
}

function descriptor(option: Option): ParseArgsOptionDescriptor {
  const type = option.type === 'boolean' ? 'boolean' : 'string'
  return option.short === undefined ? { type } : { type, short: option.short }
}

type OptionToken = { name: string; rawName: string; value: string | undefined; inlineValue: boolean | undefined }

function readOption(specs: Options, token: OptionToken, commandName: string): { name: string; value: unknown } {
  const isNegative = !(token.name in specs) && token.name.startsWith('no-')
  const name = isNegative ? token.name.slice(3) : token.name
  const option = Object.hasOwn(specs, name) ? specs[name] : undefined
  if (option === undefined || (isNegative && option.type !== 'boolean')) throw unknownOption(specs, token.rawName, commandName)
  if (option.type === 'boolean') {
    if (token.inlineValue) return { name, value: readBoolean(token.rawName, token.value ?? '') !== isNegative }
    return { name, value: !isNegative }
  }
  if (token.value === undefined) throw usage(`Give '${token.rawName}' a value: ${option.value ?? option.type}.`)
  if (!token.inlineValue && token.value.length > 1 && token.value.startsWith('-'))
    throw usage(
      `Give '${token.rawName}' a value: '${token.value}' looks like an option.`,
      `Write '${token.rawName}=${token.value}' if you mean it.`,
    )
  // `-o=json` is what many are used to.
  const isShort = token.inlineValue === true && !token.rawName.startsWith('--')
  return { name, value: readValue(token.rawName, option, isShort ? token.value.replace(/^=/, '') : token.value) }
}

function unknownOption(specs: Options, rawName: string, commandName: string): KaonError {
  const names = Object.entries(specs).flatMap(([name, option]) => [
    `--${name}`,
    ...(option.type === 'boolean' && option.default === true ? [`--no-${name}`] : []),
  ])
  const near = closestWord(rawName, names)
  const help = commandName === '' ? 'kaon --help' : `kaon ${commandName} --help`
  return usage(`There is no option '${rawName}' here.`, near === undefined ? `See '${help}'.` : `Did you mean '${near}'? See '${help}'.`)
}

function readBoolean(rawName: string, text: string): boolean {
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw usage(`Give '${rawName}' true or false, not '${text}'.`)
}

function readValue(rawName: string, option: Option, text: string): string | number {
  if (option.choices !== undefined && !option.choices.includes(text)) {
    const near = closestWord(text, option.choices)
    throw usage(
      `Give '${rawName}' one of ${option.choices.join(', ')}, not '${text}'.`,
      near === undefined ? undefined : `Did you mean '${near}'?`,
    )
  }
  if (option.type === 'integer') return readInteger(rawName, option, text)
  if (option.type !== 'duration') return text
  const ms = parseDuration(text)
  if (ms === undefined) throw usage(`Give '${rawName}' a duration such as 30s, 1m30s or 250ms, not '${text}'.`)
  return ms
}

function readInteger(rawName: string, option: Option, text: string): number {
  const [least, most] = option.range ?? [0, Number.MAX_SAFE_INTEGER]
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < least || number > most)
    throw usage(`Give '${rawName}' a whole number${option.range === undefined ? '' : ` from ${least} to ${most}`}, not '${text}'.`)
  return number
}

function fallback(name: string, option: Option, environment: Environment): unknown {
  const variable = option.environment === undefined ? undefined : environment[option.environment]
  if (variable !== undefined && variable !== '') {
    if (option.type === 'boolean') return readBoolean(option.environment!, variable)
    return option.type === 'strings' ? [variable] : readValue(option.environment!, option, variable)
  }
  if (option.type === 'strings') return []
  if (option.type === 'boolean') return option.default ?? false
  return typeof option.default === 'string' && option.type === 'duration' ? readValue(`--${name}`, option, option.default) : option.default
}

function readArguments(command: Pick<AnyCommand, 'name' | 'arguments'>, positionals: readonly string[]): Parsed['args'] {
  const specs = Object.entries(command.arguments as Arguments)
  const args: Parsed['args'] = {}
  let next = 0
  for (const [name, argument] of specs) {
    if (argument.many) {
      args[name] = positionals.slice(next)
      next = positionals.length
      if (!argument.optional && args[name].length === 0) throw missing(command.name, name, argument.description)
      continue
    }
    const value = positionals[next]
    if (value === undefined && !argument.optional) throw missing(command.name, name, argument.description)
    if (value !== undefined && argument.choices !== undefined && !argument.choices.includes(value))
      throw usage(`Give ${name.toUpperCase()} one of ${argument.choices.join(', ')}, not '${value}'.`)
    args[name] = value
    next += 1
  }
  if (positionals.length > next) throw usage(`There is one word too many: '${positionals[next]}'.`, `See 'kaon ${command.name} --help'.`)
  return args
}

function missing(commandName: string, name: string, description: string): KaonError {
  return usage(
    `Say ${name.toUpperCase()}: ${description.charAt(0).toLowerCase()}${description.slice(1)}`,
    `See 'kaon ${commandName} --help'.`,
  )
}
