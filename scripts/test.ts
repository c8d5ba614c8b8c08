// `npm test`: the static checks, then every test in one run of Node's test runner, whose summary comes last.
// `--long` (npm run test:long) runs the same code with the full counts that the issues name.
import { globSync } from 'node:fs'
import { run, runAll, step } from './steps.ts'

const long = process.argv.includes('--long')
const wanted = process.argv.slice(2).filter((arg) => !arg.startsWith('--'))

if (wanted.length === 0 && (await runAll([step('checks', 'node', ['scripts/check.ts', '--static'])]))) process.exit(1)
const files =
  wanted.length > 0
    ? wanted
    : globSync(['packages/**/*.test.ts', 'test/**/*.test.ts'], { exclude: (path) => path.includes('node_modules') }).sort()
const args = ['--test', '--test-concurrency=2', '--test-timeout=600000', ...files]
process.exit((await run(step('tests', 'node', args, long ? { KAON_TEST_LONG: '1' } : {}), 'live')) ? 0 : 1)
