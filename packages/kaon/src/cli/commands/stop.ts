import { readConfig } from '../../app/config.ts'
import { stopPlatform } from '../../app/stop-platform.ts'
import { defineCommand } from '../command.ts'
import { withDataOption } from '../data-option.ts'
import { configSources } from '../platform-options.ts'
import { createProgress } from '../progress.ts'

export const stop = defineCommand({
  name: 'stop',
  description:
    'Stops the platform of a data folder: calls under way are finished, then its processes end. What a crashed one left behind is ended too. Deployed functions come back with the next start.',
  arguments: {},
  options: {
    data: { type: 'string', value: 'FOLDER', description: "The platform's data folder.", environment: 'KAON_DATA', complete: 'files' },
  },
  examples: [{ does: 'the usual one', line: 'kaon stop' }],
  async run(invocation) {
    const { options, system, terminal, settings } = invocation
    const config = await readConfig(configSources(invocation, { data: options.data }))
    using progress = createProgress({ terminal, clock: system.clock, settings })
    progress.step('Stopping the platform')
    const stopped = await stopPlatform(config, system).catch((error: unknown) => {
      throw withDataOption(error, invocation, config.dataFolder)
    })
    if (stopped.kind === 'stopped') progress.done('The platform has stopped.')
    else if (stopped.replicasEnded > 0)
      progress.done(`The platform did not run; ${stopped.replicasEnded} replicas that it had left behind were ended.`)
    else progress.done(`No platform runs on '${config.dataFolder}'.`)
    return 0
  },
})
