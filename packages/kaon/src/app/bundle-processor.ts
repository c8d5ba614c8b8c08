import { type BundlePlace, keepBundles } from './kept-bundles.ts'

/** What runs in a replica. */
const entries = {
  processor: 'app/processor.ts',
  thread: 'runtimes/node/worker/thread-entry.ts',
  process: 'runtimes/node/worker/process-entry.ts',
} as const

export type ProcessorBundle = { processorFile: string; workerFiles: { thread: string; process: string } }

/**
 * The replica's code as one CommonJS file for each entry: a graph of ES modules costs 50 ms more at each start. Named by content and kept,
 * so that replicas of before an upgrade keep their files.
 */
export async function bundleProcessor(place: BundlePlace): Promise<ProcessorBundle> {
  const plan = {
    entries,
    options: { format: 'cjs' },
    bundlerFiles: ['app/bundle-processor.ts', 'app/lazy-modules.ts'],
    plugins: async () => [(await import('./lazy-modules.ts')).loadLazily],
  } as const
  const { processor, thread, process } = await keepBundles(plan, place)
  return { processorFile: processor, workerFiles: { thread, process } }
}
