import { styleText } from 'node:util'
import type { Host } from '../app/host.ts'

export type StyleName = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta' | 'blue'
export type Style = { [Name in StyleName]: (text: string) => string }

/** Where a command writes: results to `out`, everything else to `error`. */
export type Terminal = {
  /** Writes to stdout as it is. */
  out(text: string | Uint8Array): void
  /** One line to stderr; nothing under --quiet when `detail` is set. */
  error(line: string): void
  /** Bytes to stderr as they are. */
  errorRaw(text: string): void
  readonly outStyle: Style
  readonly style: Style
  /** Whether a person sits before stderr, so that progress may be drawn. */
  readonly isInteractive: boolean
  /** Whether stdout is a screen. */
  readonly outIsScreen: boolean
  readonly columns: number
  /** Resolves when all that was written has left the process. */
  flush(): Promise<void>
}

const styleNames: readonly StyleName[] = ['bold', 'dim', 'red', 'green', 'yellow', 'cyan', 'magenta', 'blue']

/** NO_COLOR and FORCE_COLOR as https://no-color.org and Node have them; otherwise colours where there is a screen. */
export function hasColours(stream: { isTTY?: boolean }, environment: Host['environment']): boolean {
  if (environment['NO_COLOR']) return false
  const forced = environment['FORCE_COLOR']
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  return stream.isTTY === true && environment['TERM'] !== 'dumb'
}

export function createStyle(isColoured: boolean): Style {
  const style = (name: StyleName) => (text: string) => (isColoured ? styleText(name, text, { validateStream: false }) : text)
  return Object.fromEntries(styleNames.map((name) => [name, style(name)])) as Style
}

/** A reader that goes away (`| head`) ends the command quietly: `onGone` is called once. */
export function createTerminal(host: Pick<Host, 'stdout' | 'stderr' | 'environment'>, onGone: () => void): Terminal {
  const { stdout, stderr, environment } = host
  let isGone = false
  const gone = (error: NodeJS.ErrnoException) => {
    if (isGone || (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_DESTROYED')) return
    isGone = true
    onGone()
  }
  stdout.on('error', gone)
  stderr.on('error', gone)
  const write = (stream: typeof stdout, text: string | Uint8Array) => {
    if (!isGone) stream.write(text)
  }
  const flushed = (stream: typeof stdout) =>
    new Promise<void>((resolve) => (isGone || stream.writableLength === 0 ? resolve() : stream.write('', () => resolve())))
  return {
    out: (text) => write(stdout, text),
    error: (line) => write(stderr, `${line}\n`),
    errorRaw: (text) => write(stderr, text),
    outStyle: createStyle(hasColours(stdout, environment)),
    style: createStyle(hasColours(stderr, environment)),
    isInteractive: stderr.isTTY === true && environment['TERM'] !== 'dumb' && !environment['CI'],
    outIsScreen: stdout.isTTY === true,
    columns: stderr.columns ?? stdout.columns ?? 100,
    flush: async () => {
      await Promise.all([flushed(stdout), flushed(stderr)])
    },
  }
}

/** Makes text of others harmless on a screen: control characters but tab and newline are shown, not obeyed. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
