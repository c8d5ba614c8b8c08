import { posix } from 'node:path'
import { KaonError } from '../../base/errors.ts'
import type { Files } from '../../base/system.ts'

const extensions = ['.ts', '.mts', '.cts', '.tsx', '.js', '.mjs', '.cjs', '.jsx'] as const
const defaultFile = 'handler.ts'
const listedFiles = 20

export type HandlerPlace = {
  /** Relative to the source folder, with forward slashes. */
  file: string
  exportName: string
}

/**
 * Finds the handler that `handler: file#export` means. The default, `handler.ts`, also finds `handler` and `index` with any extension of
 * JavaScript or TypeScript, and the only code file where there is just one. Throws `handler_missing` with the files that are there.
 */
export async function findHandler(files: Pick<Files, 'readdir' | 'stat'>, folder: string, handler: string): Promise<HandlerPlace> {
  const [wanted, exportName = 'default'] = handler.split('#') as [string, string?]
  const file = posix.normalize(wanted)
  if (file.startsWith('..') || posix.isAbsolute(file) || wanted.includes('\\'))
    throw new KaonError('handler_missing', `Give the handler as a path within the source folder, not '${wanted}'.`)
  for (const candidate of candidates(file)) if (await isFile(files, `${folder}/${candidate}`)) return { file: candidate, exportName }
  const code = (await files.readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.isFile() && isCode(entry.name))
    .map((entry) => entry.name)
  if (file === defaultFile && code.length === 1) return { file: code[0] as string, exportName }
  throw await missing(files, folder, file, code)
}

function candidates(file: string): string[] {
  if (file === defaultFile) return ['handler', 'index'].flatMap((name) => extensions.map((extension) => name + extension))
  return posix.extname(file) === '' ? [file, ...extensions.map((extension) => file + extension)] : [file]
}

function isCode(name: string): boolean {
  return extensions.some((extension) => name.endsWith(extension)) && !/\.(d\.[mc]?ts|(test|spec|config)\.\w+)$/.test(name)
}

async function isFile(files: Pick<Files, 'stat'>, path: string): Promise<boolean> {
  return files.stat(path).then(
    (stat) => stat.isFile(),
    () => false,
  )
}

async function missing(files: Pick<Files, 'readdir'>, folder: string, wanted: string, code: string[]): Promise<KaonError> {
  const all = (await files.readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.name !== 'node_modules')
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .sort()
  const more = all.length > listedFiles ? ` and ${all.length - listedFiles} more` : ''
  const there = all.length === 0 ? 'The source folder is empty.' : `There: ${all.slice(0, listedFiles).join(', ')}${more}.`
  return new KaonError('handler_missing', `The handler file '${wanted}' is not in the source. ${there}`, {
    hint: `Set spec.handler to the file that exports the handler${code.length > 0 ? `, as in '${code[0]}'` : ''}.`,
  })
}
