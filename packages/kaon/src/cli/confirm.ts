import { KaonError } from '../base/errors.ts'
import type { CommandContext } from './command.ts'

/** Asks on a terminal; without one the answer must have been given with --yes. Throws `usage` where nobody can be asked. */
export async function confirm({ settings, host, terminal, signal, interrupt }: CommandContext, question: string): Promise<boolean> {
  if (settings.saysYes) return true
  if (!host.stdin.isTTY || !host.stderr.isTTY)
    throw new KaonError('usage', `Nobody is here to answer: '${question}'`, { hint: 'Say --yes if you mean it.' })
  const { createInterface } = await import('node:readline/promises')
  const lines = createInterface({ input: host.stdin, output: host.stderr })
  // While a line is read Ctrl-C is a key.
  lines.on('SIGINT', interrupt)
  try {
    const answer = await lines.question(`${terminal.style.bold(question)} [y/N] `, { signal })
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    lines.close()
  }
}
