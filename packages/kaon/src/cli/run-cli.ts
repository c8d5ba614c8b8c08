import type { Host } from '../app/host.ts'
import { closestWord } from '../base/closest-word.ts'
import { KaonError } from '../base/errors.ts'
import type { System } from '../base/system.ts'
import type { ApiClient } from './api-client.ts'
import type { AnyCommand, CommandContext, Options } from './command.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import { globalOptions } from './global-options.ts'
import { renderCommand, renderGroup, renderOverview } from './help.ts'
import { type Parsed, parseWords } from './parse.ts'
import { commandEntries, findCommand, isGroup } from './registry.ts'
import { reportError } from './report-error.ts'
import { createTerminal, type Terminal } from './terminal.ts'

/** Runs one command line to its exit code. What is not needed for it is not loaded. */
export async function runCli(host: Host): Promise<number> {
  const interruption = new AbortController()
  const terminal = createTerminal(host, () => host.exit(exitCodes.fine))
  let interrupts = 0
  const interrupt = () => {
    interrupts += 1
    // The second time somebody asks, it is meant: whatever still hangs is left behind.
    if (interrupts > 1) host.exit(exitCodes.interrupted)
    interruption.abort()
  }
  host.onSignal(interrupt)
  let asJson = false
  try {
    const { name, words } = splitWords(host.args)
    if (name === undefined) return showOverview(words, terminal, host.version)
    const command = await name.load()
    const options: Options = { ...globalOptions, ...command.options }
    asJson = wantsJson(host)
    const parsed = parseWords({ ...command, options }, words, host.environment)
    if (parsed.options['help'] === true) {
      terminal.out(renderCommand(command, terminal.outStyle))
      return exitCodes.fine
    }
    return await execute(command, parsed, { host, terminal, signal: interruption.signal, interrupt })
  } catch (thrown) {
    if (interruption.signal.aborted) return exitCodes.interrupted
    return exitCodeOf(reportError(thrown, terminal, { asJson, isDebug: host.environment['KAON_DEBUG'] === '1' }).code)
  } finally {
    await terminal.flush()
  }
}

async function execute(
  command: AnyCommand,
  parsed: Parsed,
  base: Pick<CommandContext, 'host' | 'terminal' | 'signal' | 'interrupt'>,
): Promise<number> {
  const [{ createSystem }, { createApiClient }, { contextsPath, readContexts }, { resolveSettings }] = await Promise.all([
    import('../app/system.ts'),
    import('./api-client.ts'),
    import('./contexts.ts'),
    import('./settings.ts'),
  ])
  const system: System = createSystem()
  const contexts = await readContexts(system.files, contextsPath(base.host.environment))
  const settings = resolveSettings(parsed.options as Parameters<typeof resolveSettings>[0], contexts)
  const api: ApiClient = createApiClient(
    { network: system.network, clock: system.clock },
    {
      ...settings,
      version: base.host.version,
      signal: base.signal,
    },
  )
  try {
    return (await command.run({ ...base, system, settings, api, args: parsed.args, options: parsed.options as never })) ?? exitCodes.fine
  } finally {
    api.close()
  }
}

type Split = { name: ReturnType<typeof findEntry>; words: string[] }

/** Finds the command among the words; global options may stand before it. Throws `usage` with a 'did you mean'. */
function splitWords(args: readonly string[]): Split {
  const before: string[] = []
  let index = 0
  while (index < args.length && args[index]!.startsWith('-') && args[index] !== '--') {
    before.push(args[index]!)
    if (takesValue(args[index]!)) before.push(...args.slice(++index, index + 1))
    index += 1
  }
  let rest = args.slice(index)
  if (rest[0] === 'help') {
    rest = rest.slice(1)
    before.push('--help')
  }
  if (rest.length === 0) return { name: undefined, words: before }
  const found = findEntry(rest)
  if (found !== undefined) return { name: found, words: [...before, ...rest.slice(found.name.split(' ').length)] }
  const word = rest[0]!
  if (isGroup(word) && (rest[1] === undefined || rest[1].startsWith('-')))
    return { name: undefined, words: [word, ...before, ...rest.slice(1)] }
  const asked = isGroup(word) ? `${word} ${rest[1]}` : word
  const near = closestWord(
    asked,
    isGroup(word) ? commandEntries.map(({ name }) => name) : commandEntries.map(({ name }) => name.split(' ')[0]!),
  )
  throw new KaonError('usage', `There is no command '${asked}'.`, {
    hint: near === undefined ? "See 'kaon --help'." : `Did you mean 'kaon ${near}'?`,
  })
}

function findEntry(words: readonly string[]) {
  return findCommand(words)?.entry
}

function takesValue(word: string): boolean {
  if (word.includes('=')) return false
  const options = Object.entries(globalOptions as Options)
  const option = word.startsWith('--')
    ? options.find(([name]) => `--${name}` === word)
    : options.find(([, { short }]) => `-${short}` === word)
  return option !== undefined && option[1].type !== 'boolean'
}

/** Help for no command or a group; being used without a command is being used wrongly. */
function showOverview(words: readonly string[], terminal: Terminal, version: string): number {
  const group = words[0] !== undefined && isGroup(words[0]) ? words[0] : undefined
  const render = (style: Terminal['style']) => (group === undefined ? renderOverview(style) : renderGroup(group, style))
  const rest = group === undefined ? words : words.slice(1)
  const parsed = parseWords(
    { name: group ?? '', arguments: {}, options: { ...globalOptions, version: { type: 'boolean', description: '' } } },
    rest,
    {},
  )
  if (parsed.options['version'] === true) {
    terminal.out(`kaon ${version}\n`)
    return exitCodes.fine
  }
  if (parsed.options['help'] === true) {
    terminal.out(render(terminal.outStyle))
    return exitCodes.fine
  }
  terminal.errorRaw(render(terminal.style))
  return exitCodes.usedWrongly
}

/** Whether errors go out as JSON: asked of the words alone, since an error may come before they are understood. */
function wantsJson(host: Host): boolean {
  const { args, environment } = host
  const index = args.findIndex((word) => word === '-o' || word === '--output')
  const given = index === -1 ? args.find((word) => /^(--output=|-o=?)json$/.test(word)) && 'json' : args[index + 1]
  return (given ?? environment['KAON_OUTPUT']) === 'json'
}
