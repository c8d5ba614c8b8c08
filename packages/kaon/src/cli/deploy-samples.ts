import { KaonError } from '../base/errors.ts'
import type { CommandContext } from './command.ts'
import { deployFunction } from './deploy/deploy-function.ts'
import { planPath } from './deploy/plan.ts'
import { createProgress } from './progress.ts'
import { reportError } from './report-error.ts'

/** So many builds at a time. */
const atOnce = 2

/** Deploys every folder of the examples, `hello` first, so that there is something to call while the others are built. */
export async function deploySamples(context: CommandContext): Promise<void> {
  const { host, system, terminal, settings, api, signal } = context
  const folder = host.examplesFolder
  if (folder === undefined)
    throw new KaonError('source_missing', 'There are no sample functions in this installation.', {
      hint: "Make a function with 'kaon init'.",
    })
  const entries = await system.files.readdir(folder, { withFileTypes: true })
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
  const first = names.filter((name) => name.startsWith('hello')).slice(0, 1)
  const rest = names.filter((name) => !first.includes(name))
  const where = { workingFolder: folder, namespace: settings.namespace }
  using progress = createProgress({ terminal, clock: system.clock, settings })
  const deployOne = async (name: string) => {
    try {
      const plan = await planPath(system, where, name, { spec: {}, environment: [] })
      const { function: deployed } = await deployFunction(
        { api, files: system.files, clock: system.clock, progress: { ...progress, step: () => {} } },
        plan,
        {
          timeoutMs: 120_000,
          signal,
        },
      )
      progress.note(`${terminal.style.green('✓')} ${name.padEnd(16)} ${deployed.status?.url}`)
    } catch (error) {
      if (!signal.aborted) reportError(error, terminal, { asJson: false, isDebug: false })
    }
  }
  progress.step('Deploying the sample functions')
  for (const name of first) await deployOne(name)
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let name = rest.shift(); name !== undefined && !signal.aborted; name = rest.shift()) await deployOne(name)
    }),
  )
}
