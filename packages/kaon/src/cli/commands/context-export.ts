import { defineCommand } from '../command.ts'
import { toYaml } from '../output/print.ts'

export const contextExport = defineCommand({
  name: 'context export',
  description: 'Prints a kubeconfig for the server in force, so that kubectl and its kin work on it. It holds the token, if there is one.',
  arguments: {},
  options: {},
  examples: [{ does: 'and use it', line: 'kaon context export > kaon.kubeconfig && kubectl --kubeconfig kaon.kubeconfig get functions' }],
  async run({ settings, terminal }) {
    const name = settings.context ?? 'kaon'
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': name,
      clusters: [{ name, cluster: { server: settings.server } }],
      users: [{ name, user: settings.token === undefined ? {} : { token: settings.token } }],
      contexts: [{ name, context: { cluster: name, user: name, namespace: settings.namespace } }],
    }
    terminal.out(settings.output?.kind === 'json' ? `${JSON.stringify(config, null, 2)}\n` : await toYaml(config))
    return 0
  },
})
