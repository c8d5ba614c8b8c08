// `npm run check`: everything that can be said without starting the platform, in under a minute.
import { runAll, step } from './steps.ts'

const quick = process.argv.includes('--static')
const failed = await runAll([
  step('format and lint', 'biome', ['check', '--error-on-warnings', '.']),
  step('types', 'tsc', ['-p', '.']),
  step('dead code', 'knip', []),
  step('generated files and docs', 'node', ['scripts/generate.ts', '--check']),
])
if (failed) process.exit(1)
if (!quick)
  process.exit(
    (await runAll([step('unit tests', 'node', ['--test', '--test-reporter=dot', 'packages/**/*.test.ts', 'test/*.test.ts'])])) ? 1 : 0,
  )
