import type { Options } from './command.ts'

/** Understood by every command, before or after its name. */
export const globalOptions = {
  server: { type: 'string', value: 'URL', description: 'The API to talk to.', environment: 'KAON_SERVER' },
  context: {
    type: 'string',
    value: 'NAME',
    description: 'Use this context instead of the current one.',
    environment: 'KAON_CONTEXT',
    complete: 'contexts',
  },
  namespace: {
    type: 'string',
    short: 'n',
    value: 'NAME',
    description: 'The namespace to work in.',
    environment: 'KAON_NAMESPACE',
    complete: 'namespaces',
  },
  output: {
    type: 'string',
    short: 'o',
    value: 'FORMAT',
    description: 'json, yaml, table, name, wide or jsonpath=TEMPLATE. With json, errors are problem+json on stderr.',
    environment: 'KAON_OUTPUT',
  },
  token: { type: 'string', value: 'TOKEN', description: 'Bearer token for the API.', environment: 'KAON_TOKEN' },
  quiet: { type: 'boolean', short: 'q', description: 'Say only what was asked for.', environment: 'KAON_QUIET' },
  yes: { type: 'boolean', short: 'y', description: 'Answer every question with yes.', environment: 'KAON_YES' },
  help: { type: 'boolean', short: 'h', description: 'Show help.' },
} as const satisfies Options
