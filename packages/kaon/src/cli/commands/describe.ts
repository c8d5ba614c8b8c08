import { humanDuration } from '../../api/tables/human-duration.ts'
import { parseTime } from '../../base/time.ts'
import type { EventResource } from '../../model/core.ts'
import type { Condition, Resource } from '../../model/metadata.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { formatData } from '../output/print.ts'
import { renderRows } from '../output/table.ts'
import { events, findType, functions, listAll, pathOf, type ResourceType, revisions } from '../resource-api.ts'
import { splitKind } from '../target.ts'
import { printable } from '../terminal.ts'

export const describe = defineCommand({
  name: 'describe',
  description:
    "Tells a resource's story: its fields, its conditions, what happened to it; for a function also its revisions and the end of its last build.",
  arguments: {
    kind: { description: 'A kind, or KIND/NAME.', complete: 'kinds' },
    name: { description: 'Names; all of the kind when left out.', optional: true, many: true, complete: 'functions' },
  },
  options: {},
  examples: [{ does: 'a function', line: 'kaon describe function hello' }],
  async run(invocation) {
    const { args, api, settings, terminal } = invocation
    let isFirst = true
    for (const { kind, name } of splitKind(args.kind, args.name)) {
      const type = await findType(api, kind)
      const objects =
        name === undefined
          ? listAll(api, pathOf(type, settings.namespace))
          : [await api.json<Resource>('GET', pathOf(type, settings.namespace, name))]
      for await (const object of objects) {
        if (!isFirst) terminal.out('\n\n')
        isFirst = false
        if (settings.output?.kind === 'json' || settings.output?.kind === 'yaml') terminal.out(await formatData(settings.output, object))
        else terminal.out(await story(invocation, type, object))
      }
    }
    return 0
  },
})

async function story(context: CommandContext, type: ResourceType, object: Resource): Promise<string> {
  const { terminal, system } = context
  const { bold } = terminal.outStyle
  const { metadata, spec, status } = object
  const { conditions, ...otherStatus } = (status ?? {}) as { conditions?: Condition[] }
  const now = system.clock.now()
  const head: [string, string][] = [
    ['Name', metadata.name ?? ''],
    ...(metadata.namespace === undefined ? [] : [['Namespace', metadata.namespace] as [string, string]]),
  ]
  if (metadata.creationTimestamp)
    head.push(['Created', `${metadata.creationTimestamp} (${humanDuration(now - parseTime(metadata.creationTimestamp))} ago)`])
  if (metadata.deletionTimestamp)
    head.push(['Deleting', `since ${metadata.deletionTimestamp}, waits for ${metadata.finalizers?.join(', ') ?? 'nothing'}`])
  const parts = [renderRows(head.map(([name, text]) => [bold(`${name}:`.padEnd(12)), text]))]
  const section = (title: string, text: string) => {
    if (text !== '') parts.push(`${bold(`${title}:`)}\n${text.replace(/^(?=.)/gm, '  ')}`)
  }
  section('Labels', await fields(metadata.labels))
  section('Annotations', await fields(withoutNotes(metadata.annotations)))
  section('Spec', await fields(spec))
  for (const name of ['data', 'stringData', 'binaryData'])
    section(name, type.kind === 'Secret' ? sizes(object[name]) : await fields(object[name]))
  section('Status', await fields(otherStatus))
  section('Conditions', conditionRows(conditions ?? [], now))
  if (type.kind === functions.kind) section('Revisions', await revisionRows(context, metadata.name ?? '', now))
  if (type.kind === functions.kind) section('Last build', await buildTail(context, object))
  section('Events', await eventRows(context, object, now))
  return parts.join('')
}

async function fields(value: unknown): Promise<string> {
  if (value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0)) return ''
  return printable(await formatData({ kind: 'yaml' }, value))
}

function withoutNotes(annotations: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => name !== 'kubectl.kubernetes.io/last-applied-configuration'))
}

/** A secret's keys with the size of their values, which are not shown. */
function sizes(data: unknown): string {
  return Object.entries((data ?? {}) as Record<string, string>)
    .map(([key, value]) => `${key}: ${Buffer.from(value, 'base64').length} bytes\n`)
    .join('')
}

function conditionRows(conditions: readonly Condition[], now: number): string {
  if (conditions.length === 0) return ''
  const rows = conditions.map((one) => [
    one.type,
    one.status,
    one.reason,
    humanDuration(now - parseTime(one.lastTransitionTime)),
    printable(one.message).replaceAll('\n', '\n    '),
  ])
  return renderRows([['TYPE', 'STATUS', 'REASON', 'SINCE', 'MESSAGE'], ...rows])
}

async function revisionRows({ api, settings }: CommandContext, name: string, now: number): Promise<string> {
  const found = await Array.fromAsync(listAll(api, pathOf(revisions, settings.namespace), { labelSelector: `kaon.dev/function=${name}` }))
  if (found.length === 0) return ''
  const rows = found
    .sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? 1 : -1))
    .map(({ metadata, status }) => {
      const {
        conditions = [],
        readyReplicas = 0,
        buildMs,
      } = (status ?? {}) as { conditions?: Condition[]; readyReplicas?: number; buildMs?: number }
      const ready = conditions.find(({ type }) => type === 'Ready')
      return [
        metadata.name ?? '',
        ready?.status ?? 'Unknown',
        ready?.reason ?? '',
        String(readyReplicas),
        buildMs === undefined ? '' : `${Math.round(buildMs)} ms`,
        humanDuration(now - parseTime(metadata.creationTimestamp ?? '')),
      ]
    })
  return renderRows([['NAME', 'READY', 'REASON', 'REPLICAS', 'BUILT IN', 'AGE'], ...rows])
}

async function buildTail({ api }: CommandContext, object: Resource): Promise<string> {
  const revision = (object.status as { latestCreatedRevision?: string } | undefined)?.latestCreatedRevision
  if (revision === undefined) return ''
  try {
    const lines = await Array.fromAsync(
      api.lines(`${pathOf(functions, object.metadata.namespace, object.metadata.name)}/build?revision=${revision}`),
    )
    return lines
      .slice(-10)
      .map((line) => `${printable(line)}\n`)
      .join('')
  } catch {
    // The log may have been collected with its revision.
    return ''
  }
}

async function eventRows({ api, settings }: CommandContext, object: Resource, now: number): Promise<string> {
  const fieldSelector = `involvedObject.name=${object.metadata.name},involvedObject.kind=${object.kind}`
  const found = (await Array.fromAsync(
    listAll(api, pathOf(events, object.metadata.namespace ?? settings.namespace), { fieldSelector }),
  )) as EventResource[]
  if (found.length === 0) return ''
  const at = (event: EventResource) => parseTime(event.lastTimestamp ?? event.metadata.creationTimestamp ?? '')
  const rows = found
    .sort((a, b) => at(a) - at(b))
    .slice(-20)
    .map((event) => [
      humanDuration(now - at(event)),
      event.type ?? '',
      event.reason ?? '',
      (event.count ?? 1) > 1 ? `×${event.count}` : '',
      printable(event.message ?? '').replaceAll('\n', ' '),
    ])
  return renderRows([['AGE', 'TYPE', 'REASON', '', 'MESSAGE'], ...rows])
}
