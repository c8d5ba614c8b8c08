import { KaonError } from '../../base/errors.ts'
import type { Resource } from '../../model/metadata.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { formatData, nameOf } from '../output/print.ts'
import { renderTable, type Table, tableAccept } from '../output/table.ts'
import { findType, listAll, namespaces, pathOf, type ResourceList, type ResourceType, watch } from '../resource-api.ts'
import type { OutputFormat } from '../settings.ts'
import { splitKind } from '../target.ts'

export const get = defineCommand({
  name: 'get',
  description:
    'Lists the resources of a kind, or shows those that are named. Kinds go by any of their names: functions, function, fn. Ctrl-C is the normal end of a watch: the exit code is 0.',
  arguments: {
    kind: { description: 'A kind, several with commas, or KIND/NAME.', complete: 'kinds' },
    name: { description: 'Names; all of the kind when left out.', optional: true, many: true, complete: 'functions' },
  },
  options: {
    watch: { type: 'boolean', short: 'w', description: 'Go on with what changes.' },
    'all-namespaces': { type: 'boolean', short: 'A', description: 'Of all namespaces.' },
    selector: { type: 'string', short: 'l', value: 'LABELS', description: "Only those with these labels, as in 'app=shop,tier!=web'." },
    headers: { type: 'boolean', default: true, description: 'Leave out the head of the table.' },
  },
  examples: [
    { does: 'all functions', line: 'kaon get functions' },
    { does: 'the address of one', line: "kaon get function hello -o jsonpath='{.status.url}'" },
    { does: 'revisions of one function, as they change', line: 'kaon get revisions -l kaon.dev/function=hello -w' },
  ],
  async run(invocation) {
    const { args, options } = invocation
    const targets = splitKind(args.kind, args.name)
    if (options['all-namespaces'] && targets.some(({ name }) => name !== undefined))
      throw new KaonError('usage', 'A name is found in one namespace: leave out --all-namespaces.')
    if (options.watch && targets.length > 1) throw new KaonError('usage', 'Watch one kind or one name at a time.')
    const view: View = { ...options, isMany: targets.length > 1, widths: [] }
    for (const [index, { kind, name }] of targets.entries()) {
      if (index > 0 && view.isMany && isTable(invocation) && name === undefined) invocation.terminal.out('\n')
      await show(invocation, await findType(invocation.api, kind), name, {
        ...view,
        headers: view.headers && (index === 0 || name === undefined),
      })
    }
    return 0
  },
})

type View = { watch: boolean; 'all-namespaces': boolean; selector: string | undefined; headers: boolean; isMany: boolean; widths: number[] }

function isTable({ settings }: CommandContext): boolean {
  return settings.output === undefined || settings.output.kind === 'table' || settings.output.kind === 'wide'
}

async function show(context: CommandContext, type: ResourceType, name: string | undefined, view: View): Promise<void> {
  const { api, settings, terminal, signal } = context
  const namespace = view['all-namespaces'] ? undefined : settings.namespace
  const query: Record<string, string> = view.selector === undefined ? {} : { labelSelector: view.selector }
  const asTable = isTable(context)
  const version = asTable
    ? await showTable(context, type, { namespace, name, query }, view)
    : await showData(context, type, { namespace, name, query })
  if (!view.watch) return
  const filter: Record<string, string> = name === undefined ? query : { ...query, fieldSelector: `metadata.name=${name}` }
  for await (const { type: change, object } of watch(api, pathOf(type, namespace), { ...filter, resourceVersion: version }, signal)) {
    if (change === 'BOOKMARK') continue
    if (!asTable) terminal.out(await formatData(settings.output as OutputFormat, object))
    else if (change === 'DELETED') terminal.out(`${nameOf(object)} deleted\n`)
    else await showTable(context, type, { ...object.metadata, query: {} }, { ...view, headers: false })
  }
}

type Where = { namespace?: string | undefined; name?: string | undefined; query: Record<string, string> }

/** Prints objects as data; gives the version from which a watch goes on. */
async function showData(context: CommandContext, type: ResourceType, { namespace, name, query }: Where): Promise<string> {
  const { api, settings, terminal } = context
  const output = settings.output as OutputFormat
  if (name !== undefined) {
    const object = await api.json<Resource>('GET', pathOf(type, namespace, name))
    terminal.out(await formatData(output, object))
    return object.metadata.resourceVersion ?? ''
  }
  const path = pathOf(type, namespace)
  const head = await api.json<ResourceList>('GET', `${path}?${new URLSearchParams({ ...query, limit: '1' })}`)
  const items = await Array.fromAsync(listAll(api, path, query))
  if (items.length === 0) await requireNamespace(context, type, namespace)
  terminal.out(await formatData(output, { apiVersion: 'v1', kind: 'List', metadata: {}, items }))
  return head.metadata?.resourceVersion ?? ''
}

/** An empty list of a namespace that was named may be the empty list of a mistyped one. Throws `not_found`. */
async function requireNamespace({ api, settings }: CommandContext, type: ResourceType, namespace: string | undefined): Promise<void> {
  if (type.namespaced && namespace !== undefined && settings.isNamespaceGiven)
    await api.json('GET', pathOf(namespaces, undefined, namespace))
}

/** Prints the server's table; gives the version from which a watch goes on. */
async function showTable(context: CommandContext, type: ResourceType, { namespace, name, query }: Where, view: View): Promise<string> {
  const { api, settings, terminal } = context
  const search = name === undefined ? `?${new URLSearchParams(query)}` : ''
  let table: Table
  try {
    table = await api.json<Table>('GET', `${pathOf(type, namespace, name)}${search}`, undefined, { accept: tableAccept })
  } catch (error) {
    // What changed a moment ago may be gone by now: its deletion is the next line.
    if (view.watch && !view.headers && (error as KaonError).code === 'not_found') return ''
    throw error
  }
  if (table.rows.length === 0) await requireNamespace(context, type, namespace)
  if (table.rows.length === 0 && !settings.isQuiet)
    terminal.error(
      namespace === undefined || !type.namespaced
        ? `There are no ${type.plural}.`
        : `There are no ${type.plural} in namespace '${namespace}'.`,
    )
  const withNamespace = view['all-namespaces'] && type.namespaced
  const withHeader = view.headers && table.rows.length > 0
  terminal.out(
    renderTable(table, { isWide: settings.output?.kind === 'wide', withNamespace, withHeader, widths: view.widths }, terminal.outStyle),
  )
  return table.metadata?.resourceVersion ?? table.rows[0]?.object.metadata.resourceVersion ?? ''
}
