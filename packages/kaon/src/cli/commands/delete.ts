import { KaonError } from '../../base/errors.ts'
import { notFoundMessage } from '../api-errors.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { confirm } from '../confirm.ts'
import { readManifestFiles } from '../manifest-files.ts'
import { discover, find, findType, listAll, pathOf, type ResourceType, typeOf } from '../resource-api.ts'
import { splitKind } from '../target.ts'
import { waitGone } from '../wait-for.ts'

type Doomed = { type: ResourceType; namespace: string; name: string }

export const deleteCommand = defineCommand({
  name: 'delete',
  description: 'Deletes resources by name, by label or as files name them, and waits until they are gone.',
  arguments: {
    kind: { description: 'A kind, or KIND/NAME.', optional: true, complete: 'kinds' },
    name: { description: 'Names.', optional: true, many: true, complete: 'functions' },
  },
  options: {
    file: {
      type: 'strings',
      short: 'f',
      value: 'FILE',
      description: 'Delete what this file, folder or - (standard input) names.',
      complete: 'files',
    },
    all: { type: 'boolean', description: 'All of the kind in the namespace.' },
    selector: { type: 'string', short: 'l', value: 'LABELS', description: 'Those with these labels.' },
    'ignore-not-found': { type: 'boolean', description: 'Be content when it is gone already.' },
    wait: { type: 'boolean', default: true, description: 'Return as soon as deletion has begun.' },
    timeout: { type: 'duration', value: 'DURATION', default: '60s', description: 'How long to wait until they are gone.' },
  },
  examples: [
    { does: 'one function', line: 'kaon delete function hello' },
    { does: 'what a file made', line: 'kaon delete -f shop.yaml' },
    { does: 'all functions of a namespace, without a question', line: 'kaon delete functions --all -n trial -y' },
  ],
  async run(invocation) {
    const { args, options, api, terminal, settings } = invocation
    const doomed = await findDoomed(invocation, args, options)
    if (
      options.all &&
      doomed.length > 0 &&
      !(await confirm(invocation, `Delete ${doomed.length} ${doomed[0]!.type.plural} of namespace '${settings.namespace}'?`))
    )
      return 1
    for (const { type, namespace, name } of doomed) {
      try {
        await api.json('DELETE', pathOf(type, namespace, name))
      } catch (error) {
        if (options['ignore-not-found'] && (error as KaonError).code === 'not_found') continue
        throw error
      }
      if (options.wait) await waitGone(invocation, type, namespace, name, options.timeout)
      terminal.out(`${type.kind.toLowerCase()}/${name} deleted\n`)
    }
    return 0
  },
})

type Selection = { file: string[]; all: boolean; selector: string | undefined; 'ignore-not-found': boolean }

async function findDoomed(
  context: CommandContext,
  args: { kind: string | undefined; name: string[] },
  options: Selection,
): Promise<Doomed[]> {
  const { api, settings } = context
  if (options.file.length > 0) {
    if (args.kind !== undefined) throw new KaonError('usage', `Give names or --file, not both: '${args.kind}'.`)
    const known = await discover(api)
    const manifests = await readManifestFiles(context, options.file)
    return manifests.map(({ manifest: { resource, file } }) => {
      const type = typeOf(known, resource)
      if (type === undefined)
        throw new KaonError(
          'config_invalid',
          `'${file}' holds a kind that the server does not know: '${resource.apiVersion}' '${resource.kind}'.`,
        )
      return { type, namespace: resource.metadata.namespace ?? settings.namespace, name: resource.metadata.name ?? '' }
    })
  }
  if (args.kind === undefined)
    throw new KaonError('usage', 'Say what to delete: KIND NAME, or --file FILE.', { hint: "See 'kaon delete --help'." })
  const doomed: Doomed[] = []
  for (const { kind, name } of splitKind(args.kind, args.name)) {
    const type = await findType(api, kind)
    if (name !== undefined) doomed.push({ type, namespace: settings.namespace, name })
    else if (!options.all && options.selector === undefined)
      throw new KaonError('usage', `Name the ${type.plural} to delete, or say --all or --selector.`)
    else {
      const query: Record<string, string> = options.selector === undefined ? {} : { labelSelector: options.selector }
      for await (const { metadata } of listAll(api, pathOf(type, settings.namespace), query))
        doomed.push({ type, namespace: settings.namespace, name: metadata.name ?? '' })
    }
  }
  // Nothing is deleted when a name is wrong: better to ask for all of them first.
  if (!options['ignore-not-found'])
    for (const { type, namespace, name } of doomed)
      if ((await find(api, pathOf(type, namespace, name))) === undefined)
        throw new KaonError(
          'not_found',
          `${notFoundMessage(type.kind.toLowerCase(), name, type.namespaced ? namespace : undefined)} Nothing was deleted.`,
        )
  return doomed
}
