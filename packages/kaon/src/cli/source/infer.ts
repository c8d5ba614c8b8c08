import { basename, dirname, extname, resolve } from 'node:path'
import { KaonError } from '../../base/errors.ts'
import type { System } from '../../base/system.ts'

/** What a path says about a function without any file of configuration. */
export type Inferred = {
  name: string
  runtime: 'node'
  /** Relative to the source's root; undefined where a folder has none of the usual names. */
  handler: string | undefined
  /** A single file, or everything in a folder. */
  source: { kind: 'file' | 'folder'; path: string }
  /** The folder's kaon.yaml. */
  manifestPath: string | undefined
}

/** As model/schema.ts has it, which takes too long to load for one number; the server has the last word. */
export const nameMaxLength = 50
const nodeExtensions = ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs']
const handlerNames = ['handler', 'index', 'main', 'src/handler', 'src/index', 'src/main']
export const manifestNames = ['kaon.yaml', 'kaon.yml', 'kaon.json']

/** Throws `source_missing` when there is nothing at `path`, and `not_available` for a language that has no runtime yet. */
export async function inferFunction(
  files: Pick<System['files'], 'stat' | 'existsSync' | 'readdir'>,
  workingFolder: string,
  given: string,
): Promise<Inferred> {
  const path = resolve(workingFolder, given)
  const stat = await files.stat(path).catch(() => undefined)
  if (stat === undefined)
    throw new KaonError('source_missing', `There is no file or folder '${given}'.`, {
      hint: "Name a handler's file or a function's folder, or make one with 'kaon init'.",
    })
  if (stat.isDirectory()) {
    const handler = await findHandler(files, path)
    const manifest = manifestNames.find((name) => files.existsSync(`${path}/${name}`))
    return {
      name: toName(basename(path)),
      runtime: 'node',
      handler,
      source: { kind: 'folder', path },
      manifestPath: manifest === undefined ? undefined : `${path}/${manifest}`,
    }
  }
  if (!stat.isFile()) throw new KaonError('source_missing', `'${given}' is neither a file nor a folder.`)
  const file = basename(path)
  const extension = extname(file)
  if (!nodeExtensions.includes(extension))
    throw new KaonError(
      'not_available',
      `There is no runtime for '${extension === '' ? file : extension}' yet; there is one for ${nodeExtensions.join(', ')}.`,
    )
  const stem = file.slice(0, -extension.length)
  const name = toName(['handler', 'index', 'main'].includes(stem) ? basename(dirname(path)) : stem)
  return { name, runtime: 'node', handler: file, source: { kind: 'file', path }, manifestPath: undefined }
}

/** A file of a usual name, or named as the folder is, or the only one with code. */
async function findHandler(files: Pick<System['files'], 'existsSync' | 'readdir'>, folder: string): Promise<string | undefined> {
  const usual = [...handlerNames, basename(folder)].flatMap((name) => nodeExtensions.map((extension) => `${name}${extension}`))
  const found = usual.find((file) => files.existsSync(`${folder}/${file}`))
  if (found !== undefined) return found
  const code = (await files.readdir(folder)).filter(
    (file) => nodeExtensions.includes(extname(file)) && !/\.(d|test|spec|config)\.\w+$/.test(file),
  )
  return code.length === 1 ? code[0] : undefined
}

/** The error for a folder without a handler of a usual name. */
export function handlerMissing(folder: string): KaonError {
  return new KaonError(
    'handler_missing',
    `There is no handler in '${folder}': looked for ${handlerNames.join(', ')} with ${nodeExtensions.join(', ')}.`,
    {
      hint: "Name it with --handler FILE, or in a 'kaon.yaml'.",
    },
  )
}

/** A function's name made of a file's: `My_Handler 2` becomes `my-handler-2`; empty when nothing is left. */
export function toName(text: string): string {
  return text
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, nameMaxLength)
    .replace(/^-+|-+$/g, '')
}
