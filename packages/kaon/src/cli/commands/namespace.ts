import { type CommandContext, defineCommand } from '../command.ts'
import { confirm } from '../confirm.ts'
import { formatData } from '../output/print.ts'
import { renderTable, type Table, tableAccept } from '../output/table.ts'
import { listAll, namespaces, pathOf } from '../resource-api.ts'
import { waitGone } from '../wait-for.ts'

export const namespaceCreate = defineCommand({
  name: 'namespace create',
  description: 'Makes a namespace: names are unique within it, and references stay inside it.',
  arguments: { name: { description: 'Its name.' } },
  options: {},
  examples: [{ does: 'one for a project', line: 'kaon namespace create shop' }],
  async run({ args, api, terminal }) {
    await api.json('POST', pathOf(namespaces, undefined), { apiVersion: 'v1', kind: 'Namespace', metadata: { name: args.name } })
    terminal.out(`namespace/${args.name} created\n`)
    return 0
  },
})

export const namespaceList = defineCommand({
  name: 'namespace list',
  description: 'Lists namespaces.',
  arguments: {},
  options: {},
  examples: [{ does: 'all', line: 'kaon namespace list' }],
  async run(invocation) {
    await printList(invocation)
    return 0
  },
})

async function printList({ api, settings, terminal }: CommandContext): Promise<void> {
  const path = pathOf(namespaces, undefined)
  const format = settings.output
  if (format !== undefined && format.kind !== 'table' && format.kind !== 'wide') {
    const items = await Array.fromAsync(listAll(api, path))
    terminal.out(await formatData(format, { apiVersion: 'v1', kind: 'List', items }))
    return
  }
  const table = await api.json<Table>('GET', path, undefined, { accept: tableAccept })
  terminal.out(renderTable(table, { isWide: format?.kind === 'wide', withNamespace: false, withHeader: true }, terminal.outStyle))
}

export const namespaceDelete = defineCommand({
  name: 'namespace delete',
  description: 'Deletes a namespace and everything in it, and waits until it is gone. Asks first.',
  arguments: { name: { description: 'Its name.', complete: 'namespaces' } },
  options: { timeout: { type: 'duration', value: 'DURATION', default: '2m', description: 'How long to wait until it is gone.' } },
  examples: [{ does: 'without a question', line: 'kaon namespace delete trial --yes' }],
  async run(invocation) {
    const { args, options, api, terminal } = invocation
    await api.json('GET', pathOf(namespaces, undefined, args.name))
    if (!(await confirm(invocation, `Delete namespace '${args.name}' and everything in it?`))) return 1
    await api.json('DELETE', pathOf(namespaces, undefined, args.name))
    await waitGone(invocation, namespaces, '', args.name, options.timeout)
    terminal.out(`namespace/${args.name} deleted\n`)
    return 0
  },
})
