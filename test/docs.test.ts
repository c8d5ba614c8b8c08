import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { errorTable } from '../packages/kaon/src/base/errors.ts'

const root = resolve(import.meta.dirname, '..')

test('every error code has its section in the docs, and every section its code', () => {
  const text = readFileSync(join(root, 'docs/reference/errors.md'), 'utf8')
  const sections = [...text.matchAll(/^## (\S+)$/gm)].map((match) => match[1])
  assert.deepEqual([...sections].sort(), Object.keys(errorTable).sort())
})

test('every link between documents leads somewhere', () => {
  const broken: string[] = []
  for (const file of globSync(['*.md', 'docs/**/*.md', 'examples/*.md', 'bench/*.md'], { cwd: root })) {
    for (const [, target] of readFileSync(join(root, file), 'utf8').matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^(https?:|mailto:)/.test(target as string)) continue
      if (!existsSync(join(root, dirname(file), target as string))) broken.push(`${file} → ${target}`)
    }
  }
  assert.deepEqual(broken, [])
})

test('every dependency has its line in CONTRIBUTING', () => {
  const text = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')
  const named = ['package.json', 'packages/kaon/package.json', 'packages/sdk/package.json'].flatMap((path) => {
    const manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as Record<string, Record<string, string> | undefined>
    return ['dependencies', 'devDependencies'].flatMap((field) => Object.keys(manifest[field] ?? {}))
  })
  assert.deepEqual(
    named.filter((name) => name !== '@kaon/sdk' && !text.includes(`\`${name}\``)),
    [],
  )
})
