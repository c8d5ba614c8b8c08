import { KaonError } from '../base/errors.ts'
import { createNodeRuntime } from './node/build.ts'
import type { Runtime } from './runtime.ts'

/** Every language there is, by hand. */
export function createRuntimes(deps: Parameters<typeof createNodeRuntime>[0]): readonly Runtime[] {
  return [createNodeRuntime(deps)]
}

/** The runtime that a spec names. Throws `validation_failed` with the names that there are. */
export function runtimeNamed(runtimes: readonly Runtime[], name: string): Runtime {
  const found = runtimes.find((runtime) => runtime.name === name)
  if (found !== undefined) return found
  throw new KaonError(
    'validation_failed',
    `spec.runtime '${name}' is unknown; there is ${runtimes.map((one) => `'${one.name}'`).join(', ')}.`,
  )
}
