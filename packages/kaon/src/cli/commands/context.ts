import { KaonError } from '../../base/errors.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { type Contexts, contextsPath, readContexts, writeContexts } from '../contexts.ts'
import { formatData } from '../output/print.ts'
import { renderRows } from '../output/table.ts'
import { checkServer } from '../settings.ts'

const nameArgument = { description: 'Name of the context.', complete: 'contexts' } as const

export const contextList = defineCommand({
  name: 'context list',
  description: 'Lists the servers you named; the current one has a star. Tokens are not shown.',
  arguments: {},
  options: {},
  examples: [{ does: 'all', line: 'kaon context list' }],
  async run(invocation) {
    const { settings, terminal } = invocation
    const { current, contexts } = await read(invocation)
    const rows = Object.entries(contexts).map(([name, { server, namespace = 'default', token }]) => ({
      name,
      server,
      namespace,
      isCurrent: name === current,
      hasToken: token !== undefined,
    }))
    const format = settings.output
    if (format?.kind === 'json' || format?.kind === 'yaml' || format?.kind === 'jsonpath') terminal.out(await formatData(format, rows))
    else if (format?.kind === 'name') terminal.out(rows.map(({ name }) => `${name}\n`).join(''))
    else if (rows.length === 0) terminal.error("There are no contexts; 'kaon context set NAME --server URL' makes one.")
    else
      terminal.out(
        renderRows(
          [['', 'NAME', 'SERVER', 'NAMESPACE'], ...rows.map((row) => [row.isCurrent ? '*' : '', row.name, row.server, row.namespace])],
          [],
          terminal.outStyle,
        ),
      )
    return 0
  },
})

export const contextUse = defineCommand({
  name: 'context use',
  description: 'Makes a context the current one.',
  arguments: { name: nameArgument },
  options: {},
  examples: [{ does: 'go back to this machine', line: 'kaon context use laptop' }],
  async run(invocation) {
    const { args, terminal } = invocation
    await change(invocation, (contexts) => ({ ...known(contexts, args.name), current: args.name }))
    terminal.error(`Now using '${args.name}'.`)
    return 0
  },
})

export const contextSet = defineCommand({
  name: 'context set',
  description:
    'Names a server, with a namespace and a token (--server, --namespace, --token); what is not given stays. The first one becomes the current one.',
  arguments: { name: nameArgument },
  options: {},
  examples: [
    { does: 'this machine', line: 'kaon context set laptop --server http://127.0.0.1:8070' },
    {
      does: 'a server with a token, and another namespace',
      line: 'kaon context set team --server http://10.0.0.5:8070 -n shop --token "$(cat token)"',
    },
  ],
  async run(invocation) {
    const { args, host, terminal } = invocation
    const given = readGiven(invocation)
    if (!/^[\w.@-]{1,64}$/.test(args.name))
      throw new KaonError('usage', `'${args.name}' is no name of a context: use letters, digits, '-', '_', '.' and '@'.`)
    await change(invocation, (contexts) => {
      const before = contexts.contexts[args.name]
      const server = given.server ?? before?.server
      if (server === undefined) throw new KaonError('usage', `Say which server '${args.name}' is: --server URL.`)
      const next = { ...before, ...given, server: checkServer(server) }
      return { current: contexts.current ?? args.name, contexts: { ...contexts.contexts, [args.name]: next } }
    })
    terminal.error(`Wrote '${args.name}' to ${contextsPath(host.environment)}.`)
    return 0
  },
})

export const contextDelete = defineCommand({
  name: 'context delete',
  description: 'Forgets a context. The server is left alone.',
  arguments: { name: nameArgument },
  options: {},
  examples: [{ does: 'one', line: 'kaon context delete team' }],
  async run(invocation) {
    const { args, terminal } = invocation
    await change(invocation, (contexts) => {
      const { [args.name]: _gone, ...rest } = known(contexts, args.name).contexts
      return contexts.current === args.name || contexts.current === undefined
        ? { contexts: rest }
        : { current: contexts.current, contexts: rest }
    })
    terminal.error(`Forgot '${args.name}'.`)
    return 0
  },
})

/** The global options as they were given: not what another context would fill in. */
function readGiven({ options }: { options: unknown }): { server?: string; namespace?: string; token?: string } {
  const values = options as Record<string, string | undefined>
  return Object.fromEntries(
    ['server', 'namespace', 'token'].filter((name) => values[name] !== undefined).map((name) => [name, values[name]]),
  )
}

function read({ host, system }: CommandContext): Promise<Contexts> {
  return readContexts(system.files, contextsPath(host.environment))
}

async function change(context: CommandContext, decide: (contexts: Contexts) => Contexts): Promise<void> {
  await writeContexts(context.system, contextsPath(context.host.environment), decide(await read(context)))
}

function known(contexts: Contexts, name: string): Contexts {
  if (contexts.contexts[name] === undefined)
    throw new KaonError('not_found', `There is no context '${name}'.`, {
      hint: `There are ${Object.keys(contexts.contexts).join(', ') || 'none'}.`,
    })
  return contexts
}
