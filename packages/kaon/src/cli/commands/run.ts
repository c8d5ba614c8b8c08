import { createMachine } from '../../app/machine.ts'
import { runFunction } from '../../app/run.ts'
import { durationMs, parseQuantity } from '../../base/units.ts'
import { defineCommand } from '../command.ts'
import { functionOptions, readFunctionFlags } from '../deploy/flags.ts'
import { planPath } from '../deploy/plan.ts'
import { buildLocally, localCacheFolder, localEnvironment } from '../local-build.ts'
import { renderLogRecord } from '../log-lines.ts'
import { createProgress } from '../progress.ts'

export const run = defineCommand({
  name: 'run',
  description:
    'Builds one function and runs it here, in the foreground, with an HTTP front of its own and no platform: for a test, an IDE, a container, a small device. ' +
    'Its log goes to stderr; Ctrl-C ends it once the calls under way are answered, with 0: that is its normal end.',
  arguments: { path: { description: 'A handler file or a folder. The current folder when left out.', optional: true, complete: 'files' } },
  options: {
    ...functionOptions,
    port: {
      type: 'integer',
      value: 'PORT',
      range: [0, 65_535],
      default: 8080,
      description: 'Where it listens; 0 picks a free port.',
      environment: 'KAON_PORT',
    },
    host: { type: 'string', value: 'ADDRESS', default: '127.0.0.1', description: 'Address that it listens on.', environment: 'KAON_HOST' },
  },
  examples: [
    { does: 'on a free port', line: 'kaon run hello.ts --port 0' },
    { does: 'with a value that would be a secret', line: 'kaon run ./webhook --env WEBHOOK_SECRET=test' },
  ],
  async run(invocation) {
    const { args, options, settings, host, system, terminal, signal } = invocation
    const plan = await planPath(
      system,
      { workingFolder: host.workingFolder, namespace: settings.namespace },
      args.path ?? '.',
      await readFunctionFlags(options),
    )
    const cacheFolder = localCacheFolder(host.environment, createMachine().temporaryFolder)
    using progress = createProgress({ terminal, clock: system.clock, settings })
    progress.step(`Building ${plan.name}`)
    const { spec, artifactFolder } = await buildLocally(invocation, plan, { cacheFolder, onLine: (line) => progress.step(line) })
    const running = await runFunction({
      ...{ function: plan.name, namespace: plan.namespace, artifactFolder, cacheFolder },
      ...{ host: options.host, port: options.port },
      env: localEnvironment(spec, plan.environment),
      isolation: spec.isolation,
      concurrency: spec.concurrency,
      timeoutMs: durationMs(spec.timeout),
      memoryBytes: parseQuantity(spec.resources.memory) as number,
      logLevel: spec.logging.level,
      onLog: (record) =>
        terminal.error(
          settings.output?.kind === 'json' ? JSON.stringify(record) : renderLogRecord(record, terminal.style, { withRevision: false }),
        ),
    })
    progress.done(`${plan.name} serves, until you press Ctrl-C`)
    terminal.out(`http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${running.port}\n`)
    const interrupted = new Promise<void>((resolve) =>
      signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    await Promise.race([running.ended, interrupted])
    if (signal.aborted) await running.stop()
    return 0
  },
})
