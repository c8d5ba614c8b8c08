import { relative } from 'node:path'
import { KaonError } from '../../base/errors.ts'
import { isoTime } from '../../base/time.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { deployFunction } from '../deploy/deploy-function.ts'
import { functionOptions, readFunctionFlags } from '../deploy/flags.ts'
import { type DeployFlags, type DeployPlan, planPath } from '../deploy/plan.ts'
import { followLogs } from '../follow-logs.ts'
import { listenForKeys } from '../hotkeys.ts'
import { renderLogRecord } from '../log-lines.ts'
import { createProgress } from '../progress.ts'
import { createRedeployer, type Redeployer } from '../redeployer.ts'
import { reportError } from '../report-error.ts'
import { functions, pathOf } from '../resource-api.ts'
import { readIgnoreRules } from '../source/archive.ts'
import type { Terminal } from '../terminal.ts'

export const dev = defineCommand({
  name: 'dev',
  description:
    'Deploys a function, and again whenever a file is saved; shows its log all the while. A save that does not build leaves the last good revision serving. ' +
    'On a terminal: r redeploys, o opens the address, c clears the screen, q ends. Ctrl-C is its normal end: the exit code is 0.',
  arguments: { path: { description: 'A handler file or a folder. The current folder when left out.', optional: true, complete: 'files' } },
  options: {
    ...functionOptions,
    logs: { type: 'boolean', default: true, description: 'Leave out the log.' },
    inspect: { type: 'boolean', description: 'Not there yet: breakpoints in replicas.' },
  },
  examples: [
    { does: 'the function in this folder', line: 'kaon dev' },
    { does: 'one file, with a variable', line: 'kaon dev hello.ts --env LOG=debug' },
  ],
  async run(invocation) {
    const { args, options, signal } = invocation
    if (options.inspect)
      throw new KaonError('not_available', 'Breakpoints in replicas are not available yet.', {
        hint: "Run the function alone: 'node --inspect-brk $(which kaon) run'.",
      })
    await develop(invocation, { path: args.path ?? '.', flags: await readFunctionFlags(options), withLogs: options.logs }, signal)
    return 0
  },
})

type Session = { path: string; flags: DeployFlags; withLogs: boolean }

async function develop(context: CommandContext, session: Session, signal: AbortSignal): Promise<void> {
  const { system, host, terminal } = context
  const end = new AbortController()
  const over = AbortSignal.any([signal, end.signal])
  const where = { workingFolder: host.workingFolder, namespace: context.settings.namespace }
  const plan = () => planPath(system, where, session.path, session.flags)
  // What cannot even be planned at the start is a mistake in the words, not in the code.
  const first = await plan()
  let url: string | undefined
  let following: Promise<void> | undefined
  const redeployer = createRedeployer(system.clock, async (abort) => {
    const ready = await deployOnce(context, plan, AbortSignal.any([abort, over]))
    url = ready ?? url
    if (session.withLogs && ready !== undefined) following ??= showLogs(context, first, over)
  })
  const stopKeys = listenForKeys(host, { onKey: (key) => onKey(key, { context, redeployer, url, end }), interrupt: context.interrupt })
  const watcher = await watchFiles(context, first, () => redeployer.changed())
  redeployer.now()
  if (host.stdin.isTTY) showKeys(terminal)
  await new Promise<void>((resolve) => (over.aborted ? resolve() : over.addEventListener('abort', () => resolve(), { once: true })))
  stopKeys()
  await Promise.all([watcher.close(), redeployer.stop(), following])
}

/** Gives the address when it serves; what went wrong stays on the screen. */
async function deployOnce(context: CommandContext, plan: () => Promise<DeployPlan>, signal: AbortSignal): Promise<string | undefined> {
  const { api, system, terminal, settings } = context
  const startedAt = system.clock.monotonic()
  using progress = createProgress({ terminal, clock: system.clock, settings })
  try {
    const { function: deployed, outcome } = await deployFunction(
      { api, files: system.files, clock: system.clock, progress },
      await plan(),
      {
        timeoutMs: 300_000,
        signal,
      },
    )
    const { url, latestReadyRevision } = deployed.status ?? {}
    progress.done(
      `${latestReadyRevision} ${outcome === 'unchanged' ? 'is unchanged' : `serves after ${Math.round(system.clock.monotonic() - startedAt)} ms`}: ${url}`,
    )
    return url
  } catch (error) {
    if (signal.aborted) return undefined
    progress[Symbol.dispose]()
    reportError(error, terminal, { asJson: settings.output?.kind === 'json', isDebug: false })
    return undefined
  }
}

async function showLogs(
  { api, system, settings, terminal }: CommandContext,
  { name, namespace }: DeployPlan,
  signal: AbortSignal,
): Promise<void> {
  const path = `${pathOf(functions, namespace, name)}/logs`
  try {
    for await (const record of followLogs({ api, ...system }, path, { since: isoTime(system.clock.now()) }, signal)) {
      const line =
        settings.output?.kind === 'json' ? JSON.stringify(record) : renderLogRecord(record, terminal.outStyle, { withRevision: false })
      terminal.out(`${line}\n`)
    }
  } catch (error) {
    reportError(error, terminal, { asJson: settings.output?.kind === 'json', isDebug: false })
  }
}

async function watchFiles({ system }: CommandContext, plan: DeployPlan, onChange: () => void): Promise<{ close(): Promise<void> }> {
  const { watch } = await import('chokidar')
  const root = plan.watched.at(-1) as string
  const isIgnored = await readIgnoreRules(system.files, root)
  const watcher = watch(plan.watched, {
    ignoreInitial: true,
    ignored: (path, stats) => {
      const name = relative(root, path)
      return name !== '' && !name.startsWith('..') && isIgnored(name, stats?.isDirectory() ?? false)
    },
  })
  watcher.on('all', onChange)
  await new Promise<void>((resolve) => watcher.once('ready', () => resolve()))
  return watcher
}

type KeyContext = { context: CommandContext; redeployer: Redeployer; url: string | undefined; end: AbortController }

function onKey(key: string, { context: { system, host, terminal }, redeployer, url, end }: KeyContext): void {
  if (key === 'q') end.abort()
  if (key === 'r') redeployer.now()
  if (key === 'c') {
    terminal.errorRaw('\x1b[2J\x1b[3J\x1b[H')
    showKeys(terminal)
  }
  if (key !== 'o' || url === undefined) return
  terminal.error(url)
  const child = system.processes.spawn(host.platform === 'darwin' ? 'open' : 'xdg-open', [url], { stdio: 'ignore', detached: true })
  // No browser on this machine: the address is on the screen.
  child.on('error', () => {})
  child.unref()
}

function showKeys(terminal: Terminal): void {
  terminal.error(terminal.style.dim('r redeploy   o open   c clear   q quit'))
}
