import { KaonError } from '../../base/errors.ts'
import type { Resource } from '../../model/metadata.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { threeWayPatch } from '../deploy/three-way-patch.ts'
import { parseManifests } from '../manifest.ts'
import { nameOf, toYaml } from '../output/print.ts'
import { findType, pathOf } from '../resource-api.ts'
import { splitKind } from '../target.ts'

export const edit = defineCommand({
  name: 'edit',
  description:
    'Opens a resource as YAML in $KAON_EDITOR, $VISUAL, $EDITOR or vi, and writes what was changed. An error opens it again, with the error on top; leaving it unchanged ends it.',
  arguments: {
    kind: { description: 'A kind, or KIND/NAME.', complete: 'kinds' },
    name: { description: 'The name.', optional: true, complete: 'functions' },
  },
  options: {},
  examples: [
    { does: 'a function', line: 'kaon edit function hello' },
    { does: 'in an editor of your choice', line: "KAON_EDITOR='code --wait' kaon edit function hello" },
  ],
  async run(invocation) {
    const { args, api, settings, terminal } = invocation
    const [target] = splitKind(args.kind, args.name === undefined ? [] : [args.name])
    if (target?.name === undefined) throw new KaonError('usage', 'Name what to edit: KIND NAME.')
    const type = await findType(api, target.kind)
    const path = pathOf(type, settings.namespace, target.name)
    const live = await api.json<Resource>('GET', path)
    const original = await toYaml(editable(live))
    let text = original
    let comment = `# Change what you like and save. An empty file ends it without a change.\n`
    for (;;) {
      const edited = stripComment(await openEditor(invocation, `${comment}${text}`, target.name))
      if (edited.trim() === '' || edited === text) {
        const isGivenUp = text !== original
        terminal.error(isGivenUp ? 'Given up: nothing was changed.' : 'Nothing was changed.')
        return isGivenUp ? 1 : 0
      }
      try {
        terminal.out(`${nameOf(live)} ${await writeEdited(invocation, path, live, edited)}\n`)
        return 0
      } catch (error) {
        const { message, hint, code } = error as KaonError
        if (!['config_invalid', 'validation_failed', 'invalid_request'].includes(code)) throw error
        comment = `${[message, ...(hint === undefined ? [] : [hint])]
          .join('\n')
          .split('\n')
          .map((line) => `# ${line}`)
          .join('\n')}\n`
        text = edited
      }
    }
  },
})

/** Without what only the server sets. */
function editable({ metadata, status: _status, ...rest }: Resource): Resource {
  const {
    managedFields: _fields,
    resourceVersion: _version,
    uid: _uid,
    generation: _generation,
    creationTimestamp: _time,
    ...own
  } = metadata
  return { ...rest, metadata: own } as Resource
}

async function writeEdited({ api }: CommandContext, path: string, live: Resource, text: string): Promise<'edited' | 'unchanged'> {
  const [manifest, ...others] = parseManifests(text, 'edit.yaml')
  if (manifest === undefined || others.length > 0) throw new KaonError('config_invalid', 'Keep it one resource.')
  const before = editable(live) as Record<string, unknown>
  const patch = threeWayPatch(before, manifest.resource as Record<string, unknown>, before)
  if (Object.keys(patch).length === 0) return 'unchanged'
  const body = { ...patch, metadata: { ...(patch['metadata'] as object | undefined), resourceVersion: live.metadata.resourceVersion } }
  await api.json('PATCH', path, body, { contentType: 'application/merge-patch+json' })
  return 'edited'
}

async function openEditor({ host, system }: CommandContext, text: string, name: string): Promise<string> {
  const { environment } = host
  const command = environment['KAON_EDITOR'] || environment['VISUAL'] || environment['EDITOR'] || 'vi'
  const [program, ...words] = splitWords(command)
  if (program === undefined) throw new KaonError('usage', `The editor '${command}' is no command.`)
  const folder = await system.files.mkdtemp(`${environment['TMPDIR'] || '/tmp'}/kaon-edit-`)
  const file = `${folder}/${name}.yaml`
  try {
    await system.files.writeFile(file, text, { mode: 0o600 })
    const code = await new Promise<number | null>((resolve, reject) => {
      const child = system.processes.spawn(program, [...words, file], { stdio: 'inherit' })
      child.on('error', (cause) =>
        reject(new KaonError('usage', `The editor '${program}' cannot be started.`, { cause, hint: 'Set EDITOR to one that is there.' })),
      )
      child.on('exit', resolve)
    })
    if (code !== 0) throw new KaonError('usage', `The editor '${program}' ended with ${code}; nothing was changed.`)
    return await system.files.readFile(file, 'utf8')
  } finally {
    await system.files.rm(folder, { recursive: true, force: true })
  }
}

/** Words of a command as a shell would split them, without a shell: quotes and backslashes, nothing else. */
export function splitWords(command: string): string[] {
  return [...command.matchAll(/(?:[^\s"'\\]+|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/g)].map(([word]) =>
    word.replace(
      /\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/g,
      (_all, escaped, double, single) => escaped ?? single ?? double.replace(/\\(["\\])/g, '$1'),
    ),
  )
}

function stripComment(text: string): string {
  return text.replace(/^(?:#.*\n)+/, '')
}
