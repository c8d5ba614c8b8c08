import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import type { BuildOptions, Plugin } from 'esbuild'
import { makeFolder } from '../base/make-folder.ts'
import type { Files } from '../base/system.ts'

export const sourceFolder = resolve(import.meta.dirname, '..')
const recordName = 'bundles.json'

export type BundlePlan<Entry extends string> = {
  /** By name, the files to start from, below the source folder. */
  entries: Readonly<Record<Entry, string>>
  options: Pick<BuildOptions, 'format' | 'splitting' | 'external' | 'define' | 'banner'>
  /** Files below the source folder that decide how it is bundled; they are inputs too. */
  bundlerFiles: readonly string[]
  plugins?(): Promise<Plugin[]>
}

/** What the bundles were made of, by path below the source folder, and what they are called. */
type BundleRecord<Entry extends string> = { setup: string; inputs: Record<string, string>; outputs: Record<Entry, string> }

export type BundlePlace = {
  cacheFolder: string
  files: Pick<Files, 'readFile' | 'writeFile' | 'rename' | 'mkdir' | 'existsSync'>
}

const everyOptions = {
  bundle: true,
  platform: 'node',
  target: 'node26',
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: true,
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
} as const

/** The bundles of a plan, by entry: named by content and kept; with nothing changed the sources are only read and compared. */
export async function keepBundles<Entry extends string>(plan: BundlePlan<Entry>, place: BundlePlace): Promise<Record<Entry, string>> {
  const { cacheFolder, files } = place
  const setup = sha256(JSON.stringify({ entries: plan.entries, options: plan.options, everyOptions, node: process.version }))
  const known = await readRecord<Entry>(place)
  const isGood = known?.setup === setup && hasOutputs(known) && (await areUnchanged(files, known.inputs))
  const outputs = isGood ? known.outputs : await build(plan, place, setup)
  return mapValues(outputs, (name) => join(cacheFolder, name))

  function hasOutputs(record: BundleRecord<Entry>): boolean {
    return Object.values<string>(record.outputs).every((name) => files.existsSync(join(cacheFolder, name)))
  }
}

async function build<Entry extends string>(
  plan: BundlePlan<Entry>,
  { cacheFolder, files }: BundlePlace,
  setup: string,
): Promise<Record<Entry, string>> {
  // Not needed, and so not loaded, when nothing has changed.
  const [esbuild, plugins] = await Promise.all([import('esbuild'), plan.plugins?.() ?? []])
  await makeFolder(files, cacheFolder)
  const result = await esbuild.build({
    ...everyOptions,
    ...plan.options,
    entryPoints: mapValues(plan.entries, (path) => join(sourceFolder, path)),
    absWorkingDir: sourceFolder,
    outdir: cacheFolder,
    outExtension: { '.js': plan.options.format === 'cjs' ? '.cjs' : '.mjs' },
    write: false,
    metafile: true,
    plugins,
    logLevel: 'silent',
  })
  // Its process would stay for as long as this one does.
  await esbuild.stop()
  for (const { path, contents } of result.outputFiles) if (!files.existsSync(path)) await writeWhole(files, path, contents)
  const made = Object.entries(result.metafile.outputs)
  const outputOf = (path: string) => made.find(([, { entryPoint }]) => entryPoint === path)?.[0].replace(/^.*\//, '') ?? ''
  const inputs: Record<string, string> = {}
  const paths = Object.keys(result.metafile.inputs).filter((path) => !/^[a-z-]+:/.test(path))
  for (const path of [...paths, ...plan.bundlerFiles, 'app/kept-bundles.ts'])
    inputs[path] = sha256(await files.readFile(resolve(sourceFolder, path)))
  const record: BundleRecord<Entry> = { setup, inputs, outputs: mapValues(plan.entries, outputOf) }
  await writeWhole(files, join(cacheFolder, recordName), JSON.stringify(record))
  return record.outputs
}

async function readRecord<Entry extends string>({ cacheFolder, files }: BundlePlace): Promise<BundleRecord<Entry> | undefined> {
  try {
    return JSON.parse(await files.readFile(join(cacheFolder, recordName), 'utf8')) as BundleRecord<Entry>
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

function mapValues<Key extends string, From, To>(record: Readonly<Record<Key, From>>, change: (value: From) => To): Record<Key, To> {
  return Object.fromEntries(Object.entries<From>(record).map(([key, value]) => [key, change(value)])) as Record<Key, To>
}

function sha256(contents: string | Uint8Array): string {
  return createHash('sha256').update(contents).digest('hex')
}
