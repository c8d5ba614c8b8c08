import { execFileSync } from 'node:child_process'
import type { TestContext } from 'node:test'

/** True when the program answers; else the test is skipped with one clear line, or fails where KAON_TEST_REQUIRE=all says that everything must run. */
export function hasProgram(t: Pick<TestContext, 'skip'>, command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    const message = `needs '${[command, ...args].join(' ')}' to work here (scripts/setup installs what it can)`
    if (process.env.KAON_TEST_REQUIRE === 'all') throw new Error(message)
    t.skip(message)
    return false
  }
}
