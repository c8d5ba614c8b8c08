import { KaonError } from '../base/errors.ts'
import type { CommandContext } from './command.ts'
import { type Manifest, parseManifests } from './manifest.ts'

/** A resource, the text it stands in, and the folder that its relative paths start from. */
export type ManifestInFile = { manifest: Manifest; text: string; folder: string }

const manifestExtensions = /\.(ya?ml|json)$/

/** The resources of files, folders (their YAML and JSON files in order of name) and `-` (standard input). */
export async function readManifestFiles(
  { host, system }: Pick<CommandContext, 'host' | 'system'>,
  names: readonly string[],
): Promise<ManifestInFile[]> {
  const { files } = system
  const found: ManifestInFile[] = []
  const add = (text: string, file: string, folder: string) => {
    for (const manifest of parseManifests(text, file)) found.push({ manifest, text, folder })
  }
  for (const name of names) {
    if (name === '-') {
      const parts: Buffer[] = []
      for await (const part of host.stdin) parts.push(Buffer.from(part as Uint8Array))
      add(Buffer.concat(parts).toString('utf8'), 'stdin', host.workingFolder)
      continue
    }
    const path = name.startsWith('/') ? name : `${host.workingFolder}/${name}`
    const stat = await files.stat(path).catch((cause: NodeJS.ErrnoException) => {
      throw new KaonError('source_missing', `Cannot read '${name}': ${cause.code}.`, { cause })
    })
    if (!stat.isDirectory()) add(await files.readFile(path, 'utf8'), name, path.slice(0, path.lastIndexOf('/')))
    else
      for (const file of (await files.readdir(path)).filter((entry) => manifestExtensions.test(entry)).sort())
        add(await files.readFile(`${path}/${file}`, 'utf8'), `${name.replace(/\/$/, '')}/${file}`, path)
  }
  if (found.length === 0)
    throw new KaonError(
      'config_invalid',
      `There are no resources in ${names.map((name) => (name === '-' ? 'standard input' : `'${name}'`)).join(', ')}.`,
    )
  return found
}
