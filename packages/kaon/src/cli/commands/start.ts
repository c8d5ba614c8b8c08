import { type PlatformConfig, readConfig } from '../../app/config.ts'
import { launch } from '../../app/launcher.ts'
import type { PlatformFile } from '../../app/platform-file.ts'
import { createApiClient } from '../api-client.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { dataOption, withDataOption } from '../data-option.ts'
import { deploySamples } from '../deploy-samples.ts'
import { startDetached } from '../detached-start.ts'
import { exitCodes } from '../exit-codes.ts'
import { configSources, platformOptions } from '../platform-options.ts'
import { reportError } from '../report-error.ts'
import { defaultServer } from '../settings.ts'

export const start = defineCommand({
  name: 'start',
  description:
    'Starts the platform and stays with it: Ctrl-C stops it, functions included, and is its normal end: the exit code is 0, or 130 when it came before the samples were up. With --detach it goes on in the background, and the command returns when it serves.',
  arguments: {},
  options: {
    samples: { type: 'boolean', description: 'Deploy the sample functions.' },
    detach: { type: 'boolean', description: 'Run in the background.' },
    ...platformOptions,
    config: {
      type: 'string',
      value: 'FILE',
      description: 'File with settings (default ~/.config/kaon/config.yaml; KAON_CONFIG)',
      complete: 'files',
    },
  },
  examples: [
    { does: 'with functions to play with', line: 'kaon start --samples' },
    { does: 'in the background, on free ports, with its own data', line: 'kaon start --detach --port 0 --gateway-port 0 --data ./data' },
  ],
  async run(invocation) {
    const { options, system, host, terminal, signal } = invocation
    const startedAt = system.clock.monotonic()
    const { samples, detach, ...flags } = options
    const config = await readConfig(configSources(invocation, flags))
    if (detach) {
      const platform = await startDetached(invocation, config)
      if ('exitCode' in platform) return platform.exitCode
      announce(invocation, { platform, config, tookMs: system.clock.monotonic() - startedAt, isDetached: true })
      return 0
    }
    let deploying: Promise<boolean> | undefined
    const onReady = (platform: PlatformFile) => {
      announce(invocation, { platform, config, tookMs: system.clock.monotonic() - startedAt, isDetached: false })
      if (samples) deploying = withSamples(invocation, platform)
    }
    const launching = { config, version: host.version, environment: host.environment, signal, show: terminal.error, onReady }
    await launch(launching, system).catch((error: unknown) => {
      throw withDataOption(error, invocation, config.dataFolder)
    })
    const isDone = samples ? await deploying : true
    return isDone ? exitCodes.fine : exitCodes.interrupted
  },
})

/** Whether it came to its end before somebody interrupted. */
async function withSamples(context: CommandContext, platform: PlatformFile): Promise<boolean> {
  const { settings, host, system, terminal, signal } = context
  const api = createApiClient(system, { server: platform.apiUrl, token: settings.token, version: host.version })
  try {
    await deploySamples({ ...context, api })
    if (settings.output === undefined && !signal.aborted) terminal.out(nextSteps(context, platform))
  } catch (error) {
    // The platform serves, with samples or without.
    if (!signal.aborted) reportError(error, terminal, { asJson: settings.output?.kind === 'json', isDebug: false })
  } finally {
    api.close()
  }
  return !signal.aborted
}

type Announced = { platform: PlatformFile; config: PlatformConfig; tookMs: number; isDetached: boolean }

function announce({ settings, terminal, host }: CommandContext, { platform, config, tookMs, isDetached }: Announced): void {
  const { apiUrl, gatewayUrl, pid } = platform
  if (settings.output?.kind === 'json') {
    terminal.out(`${JSON.stringify({ apiUrl, gatewayUrl, pid, dataFolder: config.dataFolder, version: host.version })}\n`)
    return
  }
  if (settings.isQuiet) return
  const { bold, green, cyan } = terminal.outStyle
  const port = new URL(gatewayUrl).port
  terminal.out(`
${green('✓')} ${bold(`Kaon ${host.version}`)} serves (${Math.round(tookMs)} ms)

  API        ${cyan(apiUrl)}
  Functions  ${cyan(`http://FUNCTION.NAMESPACE.${config.domain}:${port}`)}, or ${gatewayUrl}/fn/NAMESPACE/FUNCTION/
  Data       ${config.dataFolder}
${isDetached ? `  Stop       kaon stop${dataOption({ host }, config.dataFolder)}\n` : ''}
`)
}

/** What to type next, ready to be copied. */
function nextSteps({ host, terminal }: CommandContext, { apiUrl, gatewayUrl }: PlatformFile): string {
  const kaon = host.environment['npm_lifecycle_event'] === undefined ? 'kaon' : 'npx kaon'
  const server = apiUrl === defaultServer ? '' : ` --server ${apiUrl}`
  const port = new URL(gatewayUrl).port
  const { bold } = terminal.outStyle
  return `
${bold('Next, in another terminal')}
  curl 'http://hello.default.localhost:${port}/?name=Ada'
  ${kaon} get functions${server}
  ${kaon} logs hello -f${server}
  ${kaon} init hello-ts my-function && ${kaon} dev my-function${server}
`
}
