import { createApiClient } from '../api-client.ts'
import type { AnyCommand, Argument, CommandContext, Completion, Option, Options } from '../command.ts'
import { defineCommand } from '../command.ts'
import { contextsPath, readContexts } from '../contexts.ts'
import { globalOptions } from '../global-options.ts'
import { commandEntries, findCommand } from '../registry.ts'
import { discover, functions, namespaces, pathOf, type ResourceList, secrets } from '../resource-api.ts'
import { checkServer } from '../settings.ts'
import { listTemplates } from '../templates.ts'

/** Nobody waits longer than this for a list of names. */
const patienceMs = 1000

export const complete = defineCommand({
  name: '__complete',
  description: 'Prints what may stand in the place of the last word, one a line. For completion scripts.',
  arguments: { words: { description: 'The words so far, the last one unfinished.', optional: true, many: true } },
  options: {},
  examples: [{ does: 'commands that begin with de', line: 'kaon __complete -- de' }],
  async run(invocation) {
    const words = [...invocation.args.words]
    const unfinished = words.pop() ?? ''
    const found = await candidates(invocation, words, unfinished).catch(() => [])
    invocation.terminal.out(
      found
        .filter((word) => word.startsWith(unfinished))
        .map((word) => `${word}\n`)
        .join(''),
    )
    return 0
  },
})

async function candidates(context: CommandContext, words: readonly string[], unfinished: string): Promise<string[]> {
  const start = words.findIndex((word, index) => !word.startsWith('-') && !takesValue(globalOptions, words[index - 1]))
  const found = start === -1 ? undefined : findCommand(words.slice(start))
  const names = commandEntries.filter(({ hidden }) => !hidden).map(({ name }) => name.split(' '))
  if (found === undefined) {
    if (unfinished.startsWith('-')) return optionNames(globalOptions)
    if (start === -1 && takesValue(globalOptions, words.at(-1)))
      return values(context, words, optionOf(globalOptions, words.at(-1) as string))
    const group = start === -1 ? undefined : words[start]
    return [
      ...new Set(
        group === undefined
          ? names.map(([first]) => first as string)
          : names.filter(([first, second]) => first === group && second).map(([, second]) => second as string),
      ),
    ]
  }
  const command = await found.entry.load()
  return ofCommand(context, command, words.slice(start + found.length), unfinished)
}

async function ofCommand(context: CommandContext, command: AnyCommand, words: readonly string[], unfinished: string): Promise<string[]> {
  const options: Options = { ...globalOptions, ...command.options }
  const [name, inline] = unfinished.split('=')
  if (inline !== undefined && name?.startsWith('--'))
    return (await values(context, words, options[name.slice(2)])).map((value) => `${name}=${value}`)
  if (unfinished.startsWith('-')) return optionNames(options)
  const last = words.at(-1)
  if (takesValue(options, last)) return values(context, words, optionOf(options, last as string))
  const given = words.filter((word, index) => !word.startsWith('-') && !takesValue(options, words[index - 1]))
  const specs = Object.values(command.arguments as Record<string, Argument>)
  const argument = specs[given.length] ?? (specs.at(-1)?.many ? specs.at(-1) : undefined)
  if (argument?.complete === 'functions' && specs[0]?.complete === 'kinds' && given[0] !== undefined)
    return namesOfKind(context, words, given[0])
  return values(context, words, argument)
}

function optionNames(options: Options): string[] {
  return Object.entries(options).map(([name, option]) =>
    option.type === 'boolean' && option.default === true ? `--no-${name}` : `--${name}`,
  )
}

function optionOf(options: Options, word: string): Option | undefined {
  if (word.startsWith('--')) return options[word.slice(2)]
  return Object.values(options).find(({ short }) => `-${short}` === word)
}

function takesValue(options: Options, word: string | undefined): boolean {
  if (word === undefined || !word.startsWith('-')) return false
  const option = optionOf(options, word)
  return option !== undefined && option.type !== 'boolean'
}

async function values(
  context: CommandContext,
  words: readonly string[],
  spec: { choices?: readonly string[]; complete?: Completion } | undefined,
): Promise<string[]> {
  if (spec?.choices !== undefined) return [...spec.choices]
  switch (spec?.complete) {
    case 'functions':
      return listNames(context, words, (namespace) => pathOf(functions, namespace))
    case 'namespaces':
      return listNames(context, words, () => pathOf(namespaces, undefined))
    case 'contexts':
      return Object.keys((await readContexts(context.system.files, contextsPath(context.host.environment))).contexts)
    case 'kinds':
      return withServer(context, words, async ({ api }) => (await discover(api)).map(({ plural }) => plural))
    case 'templates':
      return (await listTemplates(context)).map(({ name }) => name)
    case 'commands':
      return commandEntries.map(({ name }) => name)
    default:
      return []
  }
}

function namesOfKind(context: CommandContext, words: readonly string[], kind: string): Promise<string[]> {
  return withServer(context, words, async ({ api, namespace }) => {
    const type = (await discover(api)).find((one) => one.words.has(kind.toLowerCase()))
    if (type === undefined || type.plural === secrets.plural) return []
    return readNames(api, pathOf(type, namespace))
  })
}

function listNames(context: CommandContext, words: readonly string[], path: (namespace: string) => string): Promise<string[]> {
  return withServer(context, words, ({ api, namespace }) => readNames(api, path(namespace)))
}

async function readNames(api: CommandContext['api'], path: string): Promise<string[]> {
  const list = await api.json<ResourceList>('GET', `${path}?limit=500`)
  return list.items.map(({ metadata }) => metadata.name ?? '')
}

/** Asks the server that the line being typed names, and gives up soon. */
async function withServer(
  context: CommandContext,
  words: readonly string[],
  ask: (use: { api: CommandContext['api']; namespace: string }) => Promise<string[]>,
): Promise<string[]> {
  const after = (...names: string[]) => words[words.findLastIndex((word) => names.includes(word)) + 1]
  const said = (...names: string[]) => (words.some((word) => names.includes(word)) ? after(...names) : undefined)
  const contexts = await readContexts(context.system.files, contextsPath(context.host.environment))
  const named = contexts.contexts[said('--context') ?? '']
  const server = checkServer(said('--server') ?? named?.server ?? context.settings.server)
  const token = named?.token ?? context.settings.token
  const api = createApiClient(context.system, { server, token, version: context.host.version })
  const late = context.system.clock.sleep(patienceMs).then(() => [] as string[])
  try {
    return await Promise.race([ask({ api, namespace: said('-n', '--namespace') ?? named?.namespace ?? context.settings.namespace }), late])
  } finally {
    api.close()
  }
}
