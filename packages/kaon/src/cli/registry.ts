import type { AnyCommand } from './command.ts'

export type CommandEntry = {
  /** The words that name it, as in `secret create`. */
  name: string
  summary: string
  group: 'platform' | 'functions' | 'resources' | 'other'
  hidden?: true
  /** Loads the command, and nothing that others need. */
  load(): Promise<AnyCommand>
}

/** Every command. To add one: write its file in commands/, add its row here. */
export const commandEntries: readonly CommandEntry[] = [
  row('platform', 'start', 'Start the platform', async () => (await import('./commands/start.ts')).start),
  row('platform', 'stop', 'Stop the platform', async () => (await import('./commands/stop.ts')).stop),
  row('platform', 'status', 'Show what runs: processes, addresses, functions', async () => (await import('./commands/status.ts')).status),
  row(
    'platform',
    'doctor',
    'Find what is wrong with this machine, and how to mend it',
    async () => (await import('./commands/doctor.ts')).doctor,
  ),
  row('functions', 'init', 'Write a new function from a template', async () => (await import('./commands/init.ts')).init),
  row('functions', 'dev', 'Deploy, redeploy on save, show the log', async () => (await import('./commands/dev.ts')).dev),
  row('functions', 'run', 'Run one function here, without the platform', async () => (await import('./commands/run.ts')).run),
  row('functions', 'deploy', 'Build and deploy a function; print its address', async () => (await import('./commands/deploy.ts')).deploy),
  row('functions', 'invoke', 'Call a function', async () => (await import('./commands/invoke.ts')).invoke),
  row('functions', 'logs', "Show a function's log", async () => (await import('./commands/logs.ts')).logs),
  row('functions', 'bench', 'Load a function on this machine and measure it', async () => (await import('./commands/bench.ts')).bench),
  row('resources', 'get', 'List resources, or show one', async () => (await import('./commands/get.ts')).get),
  row(
    'resources',
    'describe',
    "Tell a resource's story: fields, conditions, events",
    async () => (await import('./commands/describe.ts')).describe,
  ),
  row('resources', 'apply', 'Make it as the files say', async () => (await import('./commands/apply.ts')).apply),
  row('resources', 'edit', 'Change a resource in your editor', async () => (await import('./commands/edit.ts')).edit),
  row('resources', 'delete', 'Delete resources', async () => (await import('./commands/delete.ts')).deleteCommand),
  row('resources', 'wait', 'Wait until a condition holds', async () => (await import('./commands/wait.ts')).wait),
  row('resources', 'secret create', 'Make or replace a secret', async () => (await import('./commands/secret.ts')).secretCreate),
  row(
    'resources',
    'secret list',
    'List secrets and the names of their keys',
    async () => (await import('./commands/secret.ts')).secretList,
  ),
  row('resources', 'secret delete', 'Delete secrets', async () => (await import('./commands/secret.ts')).secretDelete),
  row('resources', 'namespace create', 'Make a namespace', async () => (await import('./commands/namespace.ts')).namespaceCreate),
  row('resources', 'namespace list', 'List namespaces', async () => (await import('./commands/namespace.ts')).namespaceList),
  row(
    'resources',
    'namespace delete',
    'Delete a namespace and all in it',
    async () => (await import('./commands/namespace.ts')).namespaceDelete,
  ),
  row('other', 'context list', 'List servers you know', async () => (await import('./commands/context.ts')).contextList),
  row('other', 'context use', 'Choose the server to talk to', async () => (await import('./commands/context.ts')).contextUse),
  row('other', 'context set', 'Name a server, its namespace and token', async () => (await import('./commands/context.ts')).contextSet),
  row('other', 'context delete', 'Forget a server', async () => (await import('./commands/context.ts')).contextDelete),
  row(
    'other',
    'context export',
    'Print a kubeconfig for kubectl',
    async () => (await import('./commands/context-export.ts')).contextExport,
  ),
  row('other', 'completion', 'Print the completion script of a shell', async () => (await import('./commands/completion.ts')).completion),
  row('other', 'version', 'Show versions of client and server', async () => (await import('./commands/version.ts')).version),
  { ...row('other', '__complete', 'What completes a line', async () => (await import('./commands/complete.ts')).complete), hidden: true },
]

function row(group: CommandEntry['group'], name: string, summary: string, load: CommandEntry['load']): CommandEntry {
  return { group, name, summary, load }
}

/** The entry whose name the words begin with, and how many of them it takes. */
export function findCommand(words: readonly string[]): { entry: CommandEntry; length: number } | undefined {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ')
    const entry = words.length >= length ? commandEntries.find((candidate) => candidate.name === name) : undefined
    if (entry !== undefined) return { entry, length }
  }
  return undefined
}

/** Whether commands such as `secret create` begin with this word. */
export function isGroup(word: string): boolean {
  return commandEntries.some(({ name }) => name.startsWith(`${word} `))
}
