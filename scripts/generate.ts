// `npm run generate`: writes what is made from the schemas and the commands. With --check it only says what is out of date.
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { cliReference } from './generate/cli.ts'
import { resourceReference } from './generate/resources.ts'

const root = resolve(import.meta.dirname, '..')
const files: Record<string, () => string | Promise<string>> = {
  'docs/reference/resources.gen.md': resourceReference,
  'docs/cli.gen.md': cliReference,
}

let stale = false
for (const [path, generate] of Object.entries(files)) {
  const wanted = await generate()
  let current: string | undefined
  try {
    current = readFileSync(join(root, path), 'utf8')
  } catch {
    current = undefined
  }
  if (current === wanted) continue
  if (process.argv.includes('--check')) {
    console.error(`${path} is out of date: run 'npm run generate'.`)
    stale = true
  } else {
    writeFileSync(join(root, path), wanted)
    console.log(`wrote ${path}`)
  }
}
if (stale) process.exit(1)
