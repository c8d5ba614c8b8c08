import { existsSync } from 'node:fs'
import type { ReadStream, WriteStream } from 'node:tty'
import manifest from '../../package.json' with { type: 'json' }

export type TerminationSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** The process that a command line runs in: its words, its environment, its three streams and its end. Made here, passed on. */
export type Host = {
  /** The words after `kaon`. */
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly workingFolder: string
  readonly platform: NodeJS.Platform
  readonly userId: number | undefined
  readonly stdin: ReadStream
  readonly stdout: WriteStream
  readonly stderr: WriteStream
  /** Version of this package. */
  readonly version: string
  /** The JavaScript file that starts the command line again, for what goes on in the background. */
  readonly entry: string
  /** Where templates and, in a checkout, examples are. */
  readonly packageFolder: string
  /** The examples of a checkout; undefined in an installed package without them. */
  readonly examplesFolder: string | undefined
  onSignal(action: (signal: TerminationSignal) => void): void
  exit(code: number): never
}

/** The real process. */
export function createHost(): Host {
  const packageFolder = import.meta.dirname.replace(/[\\/](src[\\/]app|dist)$/, '')
  const examples = [`${packageFolder}/examples`, `${packageFolder}/../../examples`].find((folder) => existsSync(folder))
  return {
    args: process.argv.slice(2),
    environment: process.env,
    workingFolder: process.cwd(),
    platform: process.platform,
    userId: process.getuid?.(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    version: manifest.version,
    entry: `${packageFolder}/bin/kaon.js`,
    packageFolder,
    examplesFolder: examples,
    onSignal(action) {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => action(signal))
    },
    exit: (code) => process.exit(code),
  }
}
