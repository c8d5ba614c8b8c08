import { KaonError } from '../base/errors.ts'
import type { System } from '../base/system.ts'

export type Context = { server: string; namespace?: string; token?: string }
export type Contexts = { current?: string; contexts: Record<string, Context> }
type Environment = Readonly<Record<string, string | undefined>>

/** `$XDG_CONFIG_HOME/kaon/contexts.json`; undefined where there is no home. */
export function contextsPath(environment: Environment): string | undefined {
  const base = environment['XDG_CONFIG_HOME'] || (environment['HOME'] ? `${environment['HOME']}/.config` : undefined)
  return base === undefined ? undefined : `${base}/kaon/contexts.json`
}

/** What the file says; no contexts when there is no file. Throws `config_invalid`. */
export async function readContexts(files: Pick<System['files'], 'readFile'>, path: string | undefined): Promise<Contexts> {
  if (path === undefined) return { contexts: {} }
  let text: string
  try {
    text = await files.readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { contexts: {} }
    throw new KaonError('config_invalid', `Cannot read '${path}': ${(cause as NodeJS.ErrnoException).code}.`, { cause })
  }
  try {
    const { current, contexts } = JSON.parse(text) as Contexts
    const entries = Object.entries(contexts).filter(([, context]) => typeof context.server === 'string')
    return { ...(current === undefined ? {} : { current }), contexts: Object.fromEntries(entries) }
  } catch (cause) {
    throw new KaonError('config_invalid', `Cannot read '${path}': it is not the JSON that 'kaon context set' writes.`, {
      cause,
      hint: 'Mend it, or delete it and set the contexts again.',
    })
  }
}

/** Writes the file whole, readable by its owner only, since it holds tokens. */
export async function writeContexts(system: Pick<System, 'files' | 'random'>, path: string | undefined, contexts: Contexts): Promise<void> {
  if (path === undefined) throw new KaonError('usage', 'There is no place for contexts: neither XDG_CONFIG_HOME nor HOME is set.')
  const { files, random } = system
  await files.mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true, mode: 0o700 })
  const draft = `${path}.${random.bytes(4).toString('hex')}`
  await files.writeFile(draft, `${JSON.stringify(contexts, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  await files.rename(draft, path)
}
