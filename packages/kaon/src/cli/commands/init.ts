import { basename, join, relative, resolve } from 'node:path'
import { closestWord } from '../../base/closest-word.ts'
import { KaonError } from '../../base/errors.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { formatData } from '../output/print.ts'
import { renderRows } from '../output/table.ts'
import { shellWord } from '../shell-word.ts'
import { toName } from '../source/infer.ts'
import { listTemplates, type Template } from '../templates.ts'

export const init = defineCommand({
  name: 'init',
  description: 'Writes a new function into a folder: handler, kaon.yaml and README. Overwrites nothing.',
  arguments: {
    template: { description: 'The template; hello-ts when left out.', optional: true, complete: 'templates' },
    folder: {
      description: "The folder; the template's name when left out. The function is called as the folder is.",
      optional: true,
      complete: 'files',
    },
  },
  options: { list: { type: 'boolean', description: 'Show the templates.' } },
  examples: [
    { does: 'what there is', line: 'kaon init --list' },
    { does: 'a function in TypeScript, in ./greeter', line: 'kaon init hello-ts greeter' },
  ],
  async run(invocation) {
    const { args, options, terminal, settings, host } = invocation
    const templates = await listTemplates(invocation)
    if (options.list) {
      const rows = templates.map(({ name, summary }) => ({ name, summary }))
      if (settings.output?.kind === 'json' || settings.output?.kind === 'yaml') terminal.out(await formatData(settings.output, rows))
      else terminal.out(renderRows(rows.map(({ name, summary }) => [name, summary])))
      return 0
    }
    const wanted = args.template ?? 'hello-ts'
    const template = templates.find(({ name }) => name === wanted)
    if (template === undefined) {
      const near = closestWord(
        wanted,
        templates.map(({ name }) => name),
      )
      throw new KaonError('usage', `There is no template '${wanted}'.`, {
        hint: near === undefined ? "See 'kaon init --list'." : `Did you mean '${near}'?`,
      })
    }
    const folder = resolve(host.workingFolder, args.folder ?? template.name)
    const name = toName(basename(folder))
    if (name === '') throw new KaonError('usage', `'${basename(folder)}' gives the function no name: use letters or digits.`)
    const written = await write(invocation, template, folder, name)
    const shown = relative(host.workingFolder, folder) || '.'
    if (!settings.isQuiet) for (const file of written) terminal.error(`  ${terminal.style.green('+')} ${join(shown, file)}`)
    const word = shellWord(shown)
    if (!settings.isQuiet && name !== basename(folder))
      terminal.error(`\n'${basename(folder)}' is no name for a function: it is called '${name}'.`)
    if (!settings.isQuiet)
      terminal.error(`\nNext:\n  kaon deploy ${word}\n  kaon invoke ${name}\n  kaon dev ${word}        redeploys whenever you save`)
    terminal.out(`${shown}\n`)
    return 0
  },
})

async function write({ system: { files } }: CommandContext, template: Template, folder: string, name: string): Promise<string[]> {
  const names = (await files.readdir(template.folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(template.folder, join(entry.parentPath, entry.name)))
    .sort()
  // All or nothing: everything is looked at before anything is written.
  const taken = names.filter((file) => files.existsSync(join(folder, file)))
  if (taken.length > 0)
    throw new KaonError('already_exists', `Nothing was written: '${folder}' has ${taken.map((file) => `'${file}'`).join(', ')} already.`, {
      hint: 'Name another folder.',
    })
  for (const file of names) {
    const target = join(folder, file)
    await files.mkdir(resolve(target, '..'), { recursive: true })
    const text = await files.readFile(join(template.folder, file), 'utf8')
    await files.writeFile(target, named(file, text, template.name, name), { flag: 'wx' })
  }
  return names
}

/** Puts the function's name where the template says its own: in kaon.yaml and in the commands of the README. */
function named(file: string, text: string, from: string, to: string): string {
  if (file === 'kaon.yaml') return text.replace(`name: ${from}\n`, `name: ${to}\n`)
  if (file !== 'README.md') return text
  return text.replace(`# ${from}\n`, `# ${to}\n`).replaceAll(new RegExp(`^kaon (invoke|logs) ${from}\\b`, 'gm'), `kaon $1 ${to}`)
}
