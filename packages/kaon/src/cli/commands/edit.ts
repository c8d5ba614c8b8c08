import { isKaonError, KaonError } from '../../base/errors.ts'
import type { Resource } from '../../model/metadata.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { threeWayPatch } from '../deploy/three-way-patch.ts'
import { openEditor } from '../editor.ts'
import { parseManifests } from '../manifest.ts'
import { nameOf, toYaml } from '../output/print.ts'
import { findType, pathOf } from '../resource-api.ts'
import { splitKind } from '../target.ts'

export const edit = defineCommand({
  name: 'edit',
  description:
    'Opens a resource as YAML in $KAON_EDITOR, $VISUAL, $EDITOR or vi, and writes what was changed. On a terminal an error opens it again, with the error on top; leaving it unchanged ends it. What could not be written is kept in a file.',
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
    const { args, api, host, settings, system } = invocation
    const [target] = splitKind(args.kind, args.name === undefined ? [] : [args.name])
    if (target?.name === undefined) throw new KaonError('usage', 'Name what to edit: KIND NAME.')
    const type = await findType(api, target.kind)
    const path = pathOf(type, settings.namespace, target.name)
    const live = await api.json<Resource>('GET', path)
    const original = await toYaml(editable(live))
    const folder = await system.files.mkdtemp(`${host.environment['TMPDIR'] || '/tmp'}/kaon-edit-`)
    const file = `${folder}/${target.name}.yaml`
    let isKept = false
    try {
      return await editUntilWritten(invocation, { live, path, original, file })
    } catch (error) {
      const left = stripComment(await system.files.readFile(file, 'utf8').catch(() => original))
      isKept = isKaonError(error) && left.trim() !== '' && left !== original
      throw isKept ? keptIn(error as KaonError, file) : error
    } finally {
      if (!isKept) await system.files.rm(folder, { recursive: true, force: true })
    }
  },
})

type Editing = { live: Resource; path: string; original: string; file: string }

/** Opens the editor until what it leaves is taken by the server or nothing was changed; gives the exit code. */
async function editUntilWritten(context: CommandContext, { live, path, original, file }: Editing): Promise<number> {
  const { host, system, terminal, signal } = context
  const isTerminal = host.stdin.isTTY === true && host.stderr.isTTY === true
  let text = original
  let comment = `# Change what you like and save. An empty file ends it without a change.\n`
  for (;;) {
    await system.files.writeFile(file, `${comment}${text}`, { mode: 0o600 })
    await openEditor(context, file)
    signal.throwIfAborted()
    const edited = stripComment(await system.files.readFile(file, 'utf8'))
    if (edited.trim() === '' || edited === text) {
      const isGivenUp = text !== original
      terminal.error(isGivenUp ? 'Given up: nothing was changed.' : 'Nothing was changed.')
      return isGivenUp ? 1 : 0
    }
    // The file is now what was edited alone, should it be kept.
    await system.files.writeFile(file, edited)
    try {
      terminal.out(`${nameOf(live)} ${await writeEdited(context, path, live, edited)}\n`)
      return 0
    } catch (error) {
      // An editor that no person sits at would leave the same again, and again.
      if (!isTerminal || !isKaonError(error) || !mendable.has(error.code)) throw error
      comment = [error.message, ...(error.hint === undefined ? [] : [error.hint])].join('\n').replace(/^/gm, '# ').concat('\n')
      text = edited
    }
  }
}

const mendable: ReadonlySet<string> = new Set(['config_invalid', 'validation_failed', 'invalid_request'])

function keptIn(error: KaonError, file: string): KaonError {
  const { code, message, hint, fields } = error
  return new KaonError(code, `${message}\nWhat you edited is kept in '${file}'.`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
    ...(fields === undefined ? {} : { fields }),
  })
}

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

function stripComment(text: string): string {
  return text.replace(/^(?:#.*\n)+/, '')
}
