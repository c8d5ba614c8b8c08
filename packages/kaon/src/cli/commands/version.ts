import { type CommandContext, defineCommand } from '../command.ts'
import { formatData } from '../output/print.ts'

type ServerVersion = { gitVersion?: string }

export const version = defineCommand({
  name: 'version',
  description: 'Shows the versions of this command and of the server, when one answers.',
  arguments: {},
  options: { client: { type: 'boolean', description: 'Only this command; asks no server.' } },
  examples: [{ does: 'both', line: 'kaon version' }],
  async run({ host, options, api, settings, terminal }) {
    const server = options.client ? undefined : await serverVersion(api)
    const versions = { client: host.version, ...(server === undefined ? {} : { server }) }
    if (settings.output?.kind === 'json' || settings.output?.kind === 'yaml' || settings.output?.kind === 'jsonpath')
      terminal.out(await formatData(settings.output, versions))
    else {
      terminal.out(`client  ${host.version}\n`)
      if (server !== undefined) terminal.out(`server  ${server} at ${api.server}\n`)
      else if (!options.client) terminal.error(terminal.style.dim(`No server answers at ${api.server}.`))
    }
    return 0
  },
})

/** Ours stands behind the Kubernetes version that the API keeps to: `v1.32.0+kaon-0.1.0`. Undefined when no server answers. */
export async function serverVersion(api: CommandContext['api']): Promise<string | undefined> {
  const { gitVersion = '' } = await api.json<ServerVersion>('GET', '/version').catch(() => ({}) as ServerVersion)
  return gitVersion === '' ? undefined : (/\+kaon-(.+)$/.exec(gitVersion)?.[1] ?? gitVersion)
}
