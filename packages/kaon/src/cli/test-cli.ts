// What the tests of this folder start from: the command line in this process, with streams that are read back.
import { PassThrough } from 'node:stream'
import type { TestContext } from 'node:test'
import { createHost, type Host } from '../app/host.ts'
import { createMachine } from '../app/machine.ts'
import { createSystem } from '../app/system.ts'
import { runCli } from './run-cli.ts'

export type CliResult = { code: number; out: string; error: string }
export type CliOptions = {
  environment?: Record<string, string>
  folder?: string
  input?: string
  /** Stands before all three streams. */
  isTerminal?: boolean
  interrupt?: (interrupt: () => void) => void
}

/** Runs one command line to its end. Nothing of this machine's own environment is seen. */
export async function runTestCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end(options.input ?? '')
  for (const stream of [stdin, stdout, stderr]) Object.assign(stream, { isTTY: options.isTerminal ?? false })
  const read = (stream: PassThrough) => {
    const parts: Buffer[] = []
    stream.on('data', (part: Buffer) => parts.push(part))
    return () => Buffer.concat(parts).toString('utf8')
  }
  const [out, error] = [read(stdout), read(stderr)]
  const real = createHost()
  const host = {
    ...real,
    ...{ args, stdin, stdout, stderr },
    environment: { PATH: real.environment['PATH'], ...options.environment },
    workingFolder: options.folder ?? '/nowhere',
    onSignal: (action: Parameters<Host['onSignal']>[0]) => options.interrupt?.(() => action('SIGINT')),
    exit(code: number): never {
      throw new Error(`exit ${code}`)
    },
  } as unknown as Host
  const code = await runCli(host)
  return { code, out: out(), error: error() }
}

/** A folder that is gone after the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const { files } = createSystem()
  const folder = await files.mkdtemp(`${createMachine().temporaryFolder}/kaon-cli-`)
  t.after(() => files.rm(folder, { recursive: true, force: true }))
  return folder
}
