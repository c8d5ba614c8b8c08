import { KaonError } from '../../base/errors.ts'
import type { SecretResource } from '../../model/core.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { formatData } from '../output/print.ts'
import { renderRows } from '../output/table.ts'
import { listAll, pathOf, secrets } from '../resource-api.ts'
import { waitGone } from '../wait-for.ts'

export const secretCreate = defineCommand({
  name: 'secret create',
  description: 'Makes a secret, or replaces one with --replace. Values come from words, files or a .env file; they are never shown.',
  arguments: { name: { description: 'Name of the secret.' } },
  options: {
    'from-literal': { type: 'strings', value: 'KEY=VALUE', description: 'A value; it may stay in your shell history.' },
    'from-file': {
      type: 'strings',
      value: '[KEY=]FILE',
      description: "A file's content, - for standard input; the key is the file's name unless given.",
      complete: 'files',
    },
    'from-env-file': { type: 'strings', value: 'FILE', description: 'All NAME=VALUE lines of a file.', complete: 'files' },
    replace: { type: 'boolean', description: 'Replace a secret that is there.' },
  },
  examples: [
    { does: 'from a file', line: 'kaon secret create api --from-file token=./token.txt' },
    { does: 'from standard input, without a trace in the history', line: 'pass show api | kaon secret create api --from-file token=-' },
  ],
  async run(invocation) {
    const { args, options, api, settings, terminal } = invocation
    const data = await readData(invocation, options)
    if (Object.keys(data).length === 0)
      throw new KaonError('usage', 'Give the secret a value: --from-literal, --from-file or --from-env-file.')
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: args.name, namespace: settings.namespace }, type: 'Opaque', data }
    try {
      await api.json('POST', pathOf(secrets, settings.namespace), secret)
      terminal.out(`secret/${args.name} created\n`)
    } catch (error) {
      if ((error as KaonError).code !== 'already_exists') throw error
      if (!options.replace)
        throw new KaonError('already_exists', `There is a secret '${args.name}' already.`, {
          hint: 'Use --replace to put this one in its place.',
        })
      await api.json('PUT', pathOf(secrets, settings.namespace, args.name), secret)
      terminal.out(`secret/${args.name} replaced\n`)
    }
    return 0
  },
})

type Sources = { 'from-literal': string[]; 'from-file': string[]; 'from-env-file': string[] }

async function readData(context: CommandContext, options: Sources): Promise<Record<string, string>> {
  const data: Record<string, string> = {}
  const put = (key: string, value: Buffer) => {
    if (!/^[-._a-zA-Z0-9]{1,253}$/.test(key))
      throw new KaonError('usage', `'${key}' is no key of a secret: use letters, digits, '-', '_' and '.'.`)
    if (Object.hasOwn(data, key)) throw new KaonError('usage', `The key '${key}' is given twice.`)
    data[key] = value.toString('base64')
  }
  for (const text of options['from-literal']) {
    const split = text.indexOf('=')
    // The text may be a value alone: it is not repeated.
    if (split < 1) throw new KaonError('usage', "Write '--from-literal' as KEY=VALUE.")
    put(text.slice(0, split), Buffer.from(text.slice(split + 1)))
  }
  for (const text of options['from-file']) {
    const split = text.indexOf('=')
    const file = text.slice(split + 1)
    put(split === -1 ? file.slice(file.lastIndexOf('/') + 1) : text.slice(0, split), await readInput(context, file))
  }
  for (const file of options['from-env-file'])
    for (const [number, line] of (await readInput(context, file)).toString('utf8').split(/\r?\n/).entries()) {
      if (/^\s*(#.*)?$/.test(line)) continue
      const match = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)=(.*)$/.exec(line)
      if (match === null) throw new KaonError('config_invalid', `${file}:${number + 1}:1: Write each line as NAME=VALUE.`)
      put(match[1]!, Buffer.from(match[2]!.replace(/^(["'])(.*)\1$/, '$2')))
    }
  return data
}

async function readInput({ host, system }: CommandContext, file: string): Promise<Buffer> {
  if (file === '-') {
    const parts: Buffer[] = []
    for await (const part of host.stdin) parts.push(Buffer.from(part as Uint8Array))
    return Buffer.concat(parts)
  }
  return system.files.readFile(file.startsWith('/') ? file : `${host.workingFolder}/${file}`).catch((cause: NodeJS.ErrnoException) => {
    throw new KaonError('source_missing', `Cannot read '${file}': ${cause.code}.`, { cause })
  })
}

export const secretList = defineCommand({
  name: 'secret list',
  description: 'Lists secrets with the names of their keys, never their values.',
  arguments: {},
  options: {},
  examples: [{ does: 'of the current namespace', line: 'kaon secret list' }],
  async run({ api, settings, terminal }) {
    const found = (await Array.fromAsync(listAll(api, pathOf(secrets, settings.namespace)))) as SecretResource[]
    const rows = found.map(({ metadata, type, data }) => ({
      name: metadata.name ?? '',
      type: type ?? 'Opaque',
      keys: Object.keys(data ?? {}).sort(),
    }))
    const format = settings.output
    if (format?.kind === 'json' || format?.kind === 'yaml' || format?.kind === 'jsonpath') terminal.out(await formatData(format, rows))
    else if (format?.kind === 'name') terminal.out(rows.map(({ name }) => `secret/${name}\n`).join(''))
    else if (rows.length === 0) terminal.error(`There are no secrets in namespace '${settings.namespace}'.`)
    else
      terminal.out(
        renderRows([['NAME', 'TYPE', 'KEYS'], ...rows.map(({ name, type, keys }) => [name, type, keys.join(', ')])], [], terminal.outStyle),
      )
    return 0
  },
})

export const secretDelete = defineCommand({
  name: 'secret delete',
  description: 'Deletes secrets.',
  arguments: { name: { description: 'Names of secrets.', many: true } },
  options: {},
  examples: [{ does: 'one', line: 'kaon secret delete api' }],
  async run(invocation) {
    const { args, api, settings, terminal } = invocation
    for (const name of args.name) {
      await api.json('DELETE', pathOf(secrets, settings.namespace, name))
      await waitGone(invocation, secrets, settings.namespace, name, 30_000)
      terminal.out(`secret/${name} deleted\n`)
    }
    return 0
  },
})
