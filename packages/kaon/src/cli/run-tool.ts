import type { System } from '../base/system.ts'

const patienceMs = 10_000

/** What a program prints; undefined when it is missing, fails or takes too long. */
export function captureOutput(
  { processes, clock }: Pick<System, 'processes' | 'clock'>,
  program: string,
  args: readonly string[],
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = processes.spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    const timer = clock.after(patienceMs, () => child.kill('SIGKILL'))
    let text = ''
    child.stdout?.on('data', (part: Buffer) => {
      text += part.toString('utf8')
    })
    const end = (result: string | undefined) => {
      timer.cancel()
      resolve(result)
    }
    child.on('error', () => end(undefined))
    child.on('close', (code) => end(code === 0 ? text : undefined))
  })
}

/** The first line of it that says something of a version. */
export async function captureLine(
  deps: Pick<System, 'processes' | 'clock'>,
  program: string,
  args: readonly string[],
): Promise<string | undefined> {
  const text = await captureOutput(deps, program, args)
  const lines = text?.split('\n').map((line) => line.trim())
  return lines?.find((line) => /\d+\.\d+/.test(line)) ?? lines?.[0]
}
