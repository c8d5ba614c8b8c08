import type { CommandContext } from './command.ts'

export type Template = { name: string; summary: string; folder: string }

/** The templates of the package; the first sentence of each README says what it is. */
export async function listTemplates({ host, system }: Pick<CommandContext, 'host' | 'system'>): Promise<Template[]> {
  const root = `${host.packageFolder}/templates`
  const entries = await system.files.readdir(root, { withFileTypes: true })
  const templates = entries
    .filter((entry) => entry.isDirectory())
    .map(async ({ name }) => {
      const readme = await system.files.readFile(`${root}/${name}/README.md`, 'utf8')
      const [, summary = ''] = readme.split(/\n\n/)
      return { name, summary: summary.replaceAll('\n', ' ').split(/(?<=\.)\s/)[0] ?? '', folder: `${root}/${name}` }
    })
  return (await Promise.all(templates)).sort((a, b) => (a.name < b.name ? -1 : 1))
}
