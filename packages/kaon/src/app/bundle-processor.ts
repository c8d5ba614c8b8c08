import { createHash } from 'node:crypto'
import { join, relative, resolve } from 'node:path'
import type { Files } from '../base/system.ts'

const sourceFolder = resolve(import.meta.dirname, '..')
/** What runs in a replica. Part of the fingerprint, with the options below: a change of either makes new bundles. */
const entries = {
  processor: 'app/processor.ts',
  thread: 'runtimes/node/worker/thread-entry.ts',
  process: 'runtimes/node/worker/process-entry.ts',
} as const
/** What decides how it is bundled is an input too. */
const bundlerFiles = ['app/bundle-processor.ts', 'app/lazy-modules.ts']
type Entry = keyof typeof entries

const options = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node26',
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: true,
} as const
const recordName = 'bundles.json'

/** What a bundle was made of, by path below the source folder, and what it is called. */
type BundleRecord = { setup: string; inputs: Record<string, string>; outputs: Record<Entry, string> }

export type ProcessorBundle = { processorFile: string; workerFiles: { thread: string; process: string } }

/**
 * The replica's code as one CommonJS file for each entry: a graph of ES modules costs 50 ms more at each start. Named by content and kept,
 * so that replicas of before an upgrade keep their files; a start with nothing changed only reads the sources and compares.
 */
export async function bundleProcessor(deps: {
  cacheFolder: string
  files: Pick<Files, 'readFile' | 'writeFile' | 'rename' | 'mkdir' | 'existsSync'>
}): Promise<ProcessorBundle> {
  const { cacheFolder, files } = deps
  const setup = sha256(JSON.stringify({ entries, options, node: process.version }))
  const known = await readRecord(deps)
  const isGood = known?.setup === setup && hasOutputs(known) && (await areUnchanged(files, known.inputs))
  return located(cacheFolder, isGood ? known.outputs : await build(deps, setup))

  function hasOutputs(record: BundleRecord): boolean {
    return Object.values(record.outputs).every((name) => files.existsSync(join(cacheFolder, name)))
  }
}

function located(folder: string, outputs: Record<Entry, string>): ProcessorBundle {
  return {
    processorFile: join(folder, outputs.processor),
    workerFiles: { thread: join(folder, outputs.thread), process: join(folder, outputs.process) },
  }
}

async function build(deps: Parameters<typeof bundleProcessor>[0], setup: string): Promise<Record<Entry, string>> {
  const { cacheFolder, files } = deps
  // Not needed, and so not loaded, when nothing has changed.
  const [esbuild, { loadLazily }] = await Promise.all([import('esbuild'), import('./lazy-modules.ts')])
  await files.mkdir(cacheFolder, { recursive: true, mode: 0o700 })
  const result = await esbuild.build({
    ...options,
    entryPoints: Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, join(sourceFolder, path)])),
    absWorkingDir: sourceFolder,
    outdir: cacheFolder,
    write: false,
    metafile: true,
    plugins: [loadLazily],
    logLevel: 'silent',
  })
  const outputs: Partial<Record<Entry, string>> = {}
  for (const { path, contents } of result.outputFiles) {
    const entry = relative(cacheFolder, path).replace(/\.js$/, '') as Entry
    const name = `${entry}-${sha256(contents).slice(0, 16)}.cjs`
    outputs[entry] = name
    if (!files.existsSync(join(cacheFolder, name))) await writeWhole(files, join(cacheFolder, name), contents)
  }
  const inputs: Record<string, string> = {}
  const paths = Object.keys(result.metafile.inputs).filter((path) => !path.startsWith('lazy:'))
  for (const path of [...paths, ...bundlerFiles]) inputs[path] = sha256(await files.readFile(resolve(sourceFolder, path)))
  const record: BundleRecord = { setup, inputs, outputs: outputs as Record<Entry, string> }
  await writeWhole(files, join(cacheFolder, recordName), JSON.stringify(record))
  return record.outputs
}

async function readRecord({ cacheFolder, files }: Parameters<typeof bundleProcessor>[0]): Promise<BundleRecord | undefined> {
  try {
    return JSON.parse(await files.readFile(join(cacheFolder, recordName), 'utf8')) as BundleRecord
  } catch {
    return undefined
  }
}

async function areUnchanged(files: Pick<Files, 'readFile'>, inputs: Record<string, string>): Promise<boolean> {
  const checks = Object.entries(inputs).map(async ([path, digest]) => {
    const contents = await files.readFile(resolve(sourceFolder, path)).catch(() => undefined)
    return contents !== undefined && sha256(contents) === digest
  })
  return (await Promise.all(checks)).every(Boolean)
}

async function writeWhole(files: Pick<Files, 'writeFile' | 'rename'>, path: string, contents: string | Uint8Array): Promise<void> {
  const unfinished = `${path}.${process.pid}.new`
  await files.writeFile(unfinished, contents, { mode: 0o600 })
  await files.rename(unfinished, path)
}

function sha256(contents: string | Uint8Array): string {
  return createHash('sha256').update(contents).digest('hex')
}
