import { buildEnvironment } from '../app/config.ts'
import { KaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { createBuilder } from '../builder/create-builder.ts'
import { type FunctionResource, revisionTemplate } from '../model/function.ts'
import { kindNamed } from '../model/kinds.ts'
import { prepare } from '../model/validate.ts'
import { createRuntimes } from '../runtimes/index.ts'
import type { CommandContext } from './command.ts'
import type { DeployPlan } from './deploy/plan.ts'

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent }

/** Where builds without a platform keep what the next one may use: `$XDG_CACHE_HOME/kaon`. */
export function localCacheFolder(environment: CommandContext['host']['environment'], temporaryFolder: string): string {
  const base = environment['XDG_CACHE_HOME'] || (environment['HOME'] ? `${environment['HOME']}/.cache` : temporaryFolder)
  return `${base}/kaon`
}

export type LocalBuild = { spec: FunctionResource['spec']; artifactFolder: string }

/** Builds a plan on this machine as the platform would. Throws what the author must mend. */
export async function buildLocally(
  context: Pick<CommandContext, 'system' | 'host' | 'signal'>,
  plan: DeployPlan,
  options: { cacheFolder: string; onLine(line: string): void },
): Promise<LocalBuild> {
  const { system, host, signal } = context
  const { cacheFolder, onLine } = options
  const source = plan.archive === undefined ? {} : { source: { upload: plan.archive.digest } }
  const resource = prepare(kindNamed('Function'), {
    apiVersion: 'kaon.dev/v1',
    kind: 'Function',
    metadata: { name: plan.name, namespace: plan.namespace },
    spec: { ...plan.spec, ...source },
  }) as FunctionResource
  const environment = buildEnvironment(host.environment)
  const builder = createBuilder({
    ...system,
    environment,
    log: silent,
    // The one source there is: what was packed a moment ago.
    blobs: { get: async (digest) => (digest === plan.archive?.digest ? inOnePiece(plan.archive.body) : undefined) },
    runtimes: createRuntimes({ ...system, environment }),
    folders: { artifacts: `${cacheFolder}/artifacts`, work: `${cacheFolder}/work`, cache: cacheFolder },
  })
  try {
    const { artifactFolder } = await builder.build({
      namespace: plan.namespace,
      function: plan.name,
      revision: `${plan.name}-run`,
      spec: revisionTemplate(resource.spec),
      log: onLine,
      signal,
    })
    return { spec: resource.spec, artifactFolder }
  } finally {
    await builder[Symbol.asyncDispose]()
  }
}

async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** The environment that a spec and the flags give. Without a platform there are no secrets: those must come by flags. */
export function localEnvironment({ env }: LocalBuild['spec'], flags: DeployPlan['environment']): Record<string, string> {
  const given = Object.fromEntries(flags.map(({ name, value }) => [name, value ?? '']))
  const missing = env.filter(({ name, value }) => value === undefined && !(name in given)).map(({ name }) => name)
  if (missing.length > 0)
    throw new KaonError(
      'usage',
      `Give ${missing.map((name) => `'${name}'`).join(', ')} a value: without a platform there are no secrets and config maps.`,
      {
        hint: missing.map((name) => `--env ${name}=VALUE`).join(' '),
      },
    )
  return { ...Object.fromEntries(env.map(({ name, value }) => [name, value ?? ''])), ...given }
}
