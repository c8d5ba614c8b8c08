import { KaonError } from '../../base/errors.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { deployFunction } from '../deploy/deploy-function.ts'
import { functionOptions, readFunctionFlags } from '../deploy/flags.ts'
import { type DeployPlan, planFile, planPath } from '../deploy/plan.ts'
import { formatData } from '../output/print.ts'
import { createProgress } from '../progress.ts'

export const deploy = defineCommand({
  name: 'deploy',
  description:
    'Uploads a file or a folder, builds it, and waits until it serves; the address goes to stdout. ' +
    "A folder's kaon.yaml is followed; without one, name and handler come from the file names. The same source again changes nothing.",
  arguments: {
    path: {
      description: 'A handler file, or a folder with one or with a kaon.yaml. The current folder when left out.',
      optional: true,
      complete: 'files',
    },
  },
  options: {
    ...functionOptions,
    file: {
      type: 'strings',
      short: 'f',
      value: 'FILE',
      description: 'Deploy the functions of this YAML or JSON file instead.',
      complete: 'files',
    },
    wait: { type: 'boolean', default: true, description: 'Return at once instead of waiting until it serves.' },
    'timeout-wait': { type: 'duration', value: 'DURATION', default: '5m', description: 'How long to wait.' },
  },
  examples: [
    { does: 'one file', line: 'kaon deploy hello.ts' },
    { does: 'a folder, under another name, with a variable', line: 'kaon deploy ./shop --name shop-api --env LOG=debug' },
    { does: 'and call it', line: 'curl "$(kaon deploy hello.ts -q)"' },
  ],
  async run(invocation) {
    const { args, options, settings, system, host, terminal, api, signal } = invocation
    if (options.file.length > 0 && args.path !== undefined)
      throw new KaonError('usage', `Give a path or --file, not both: '${args.path}' and '${options.file[0]}'.`)
    const startedAt = system.clock.monotonic()
    const where = { workingFolder: host.workingFolder, namespace: settings.namespace }
    const flags = await readFunctionFlags(options)
    using progress = createProgress({ terminal, clock: system.clock, settings })
    const plans: DeployPlan[] = []
    for (const file of options.file) plans.push(...(await planFile(system, where, file, flags)))
    if (options.file.length === 0) plans.push(await planPath(system, where, args.path ?? '.', flags))
    if (flags.name !== undefined && plans.length > 1)
      throw new KaonError('usage', `--name '${flags.name}' cannot name ${plans.length} functions.`)
    for (const plan of plans) {
      const timeoutMs = options.wait ? options['timeout-wait'] : undefined
      const result = await deployFunction({ api, files: system.files, clock: system.clock, progress }, plan, { timeoutMs, signal })
      const { latestReadyRevision, url } = result.function.status ?? {}
      const tookMs = Math.round(system.clock.monotonic() - startedAt)
      if (!options.wait) progress.done(`${plan.name} is ${result.outcome}; it is not waited for`)
      else
        progress.done(`${plan.name} serves${result.outcome === 'unchanged' ? ', unchanged,' : ''} as ${latestReadyRevision} (${tookMs} ms)`)
      await printResult(invocation, result.function, url)
    }
    return 0
  },
})

async function printResult({ settings, terminal }: CommandContext, resource: unknown, url: string | undefined): Promise<void> {
  if (settings.output !== undefined && settings.output.kind !== 'table' && settings.output.kind !== 'wide')
    terminal.out(await formatData(settings.output, resource))
  else if (url !== undefined) terminal.out(`${url}\n`)
}
