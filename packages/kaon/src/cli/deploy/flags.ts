import { KaonError } from '../../base/errors.ts'
import { parseDuration, parseQuantity } from '../../base/units.ts'
import type { Options, OptionValues } from '../command.ts'
import { nameMaxLength } from '../source/infer.ts'
import type { DeployFlags, EnvironmentEntry, Spec } from './plan.ts'

/** Options that say something of a function, for `deploy` and `dev`. */
export const functionOptions = {
  name: { type: 'string', value: 'NAME', description: "The function's name; otherwise the file's or the folder's." },
  handler: { type: 'string', value: 'FILE[#EXPORT]', description: 'The handler within the folder; otherwise the one with a usual name.' },
  runtime: { type: 'string', choices: ['node'], description: 'What runs it; otherwise what the file name says.' },
  env: { type: 'strings', value: 'NAME=VALUE', description: 'A variable of its environment; may be repeated. Others stay as they are.' },
  timeout: { type: 'string', value: 'DURATION', description: 'Longest time of one call, as in 30s.' },
  memory: { type: 'string', value: 'QUANTITY', description: "Memory of one worker's heap, as in 128Mi." },
  workers: { type: 'integer', range: [1, 64], description: 'Handlers side by side in one replica.' },
  concurrency: { type: 'integer', range: [0, 100_000], description: 'Calls in flight in one replica; 0 is unlimited.' },
  isolation: { type: 'string', choices: ['thread', 'process'], description: 'What a worker is.' },
} as const satisfies Options

/** What the options say, in the words of a Function's spec. Throws `usage` for a value that no server would take. */
export async function readFunctionFlags(options: OptionValues<typeof functionOptions>): Promise<DeployFlags> {
  const { name, handler, runtime, timeout, memory, workers, concurrency, isolation } = options
  if (timeout !== undefined && parseDuration(timeout) === undefined)
    throw new KaonError('usage', `Give '--timeout' a duration such as 30s, 1m30s or 250ms, not '${timeout}'.`)
  if (memory !== undefined && parseQuantity(memory) === undefined)
    throw new KaonError('usage', `Give '--memory' a quantity such as 128Mi or 1Gi, not '${memory}'.`)
  const environment = options.env.map(readVariable)
  if (name !== undefined || environment.length > 0) await checkNames(name, environment)
  const spec: Spec = {
    handler,
    runtime,
    timeout,
    workers,
    concurrency,
    isolation,
    ...(memory === undefined ? {} : { resources: { memory } }),
  }
  for (const key of Object.keys(spec)) if (spec[key] === undefined) delete spec[key]
  return { name, spec, environment }
}

/** The schemas take a moment to load: only who gives a name waits for them. */
async function checkNames(name: string | undefined, environment: readonly EnvironmentEntry[]): Promise<void> {
  const { environmentNamePattern, namePattern, patternWords } = await import('../../model/schema.ts')
  if (name !== undefined && (name.length > nameMaxLength || !new RegExp(namePattern).test(name)))
    throw new KaonError('usage', `Give '--name' at most ${nameMaxLength} ${patternWords[namePattern]}, not '${name}'.`)
  for (const variable of environment)
    if (!new RegExp(environmentNamePattern).test(variable.name))
      throw new KaonError('usage', `Name a variable with ${patternWords[environmentNamePattern]}, not '${variable.name}'.`)
}

export function readVariable(text: string): EnvironmentEntry {
  const split = text.indexOf('=')
  if (split < 1) throw new KaonError('usage', `Write a variable as NAME=VALUE, not '${text}'.`)
  return { name: text.slice(0, split), value: text.slice(split + 1) }
}
