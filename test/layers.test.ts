import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'

const source = resolve(import.meta.dirname, '../packages/kaon/src')

/** Who may import whom. A folder without a row fails; a folder may always import itself. Type imports count. */
const families = ['stores', 'platforms', 'runtimes', 'blobs'] as const
const services = ['processor', 'builder', 'controller', 'gateway'] as const
const below = ['base', 'model'] as const
const table: Record<string, readonly string[]> = {
  base: [],
  model: ['base'],
  ...Object.fromEntries(families.map((family) => [family, below])),
  ...Object.fromEntries(services.map((service) => [service, [...below, ...families]])),
  api: [...below, ...families, ...services],
  app: [...below, ...families, ...services, 'api'],
  cli: [...below, ...families, ...services, 'api', 'app'],
}
/** What any file of the package may import besides its own: our dependencies, and Node's own modules. */
const packages = JSON.parse(readFileSync(join(source, '../package.json'), 'utf8')).dependencies as Record<string, string>

function sources(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) return sources(path)
    return path.endsWith('.ts') ? [path] : []
  })
}

function imports(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const pattern = /(?:^|\n)\s*(?:import\s+|[^'"\n]*\bfrom\s+)['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g
  return [...text.matchAll(pattern)].map((match) => (match[1] ?? match[2]) as string)
}

test('every folder of the source has a row in the layer table', () => {
  const folders = readdirSync(source).filter((name) => statSync(join(source, name)).isDirectory())
  assert.deepEqual(
    folders.filter((name) => !(name in table)),
    [],
  )
})

test('nobody imports upward or sideways', () => {
  const wrong: string[] = []
  for (const file of sources(source)) {
    const from = relative(source, file).split('/')[0] as string
    const isTest = file.endsWith('.test.ts')
    for (const target of imports(file)) {
      if (target.startsWith('.')) {
        const path = relative(source, resolve(dirname(file), target))
        if (path.startsWith('..')) {
          if (target.endsWith('/package.json')) continue
          wrong.push(`${relative(source, file)} leaves the package: ${target}`)
          continue
        }
        const to = path.split('/')[0] as string
        if (isTest && path === 'app/system.ts') continue
        if (to !== from && !(table[from] ?? []).includes(to))
          wrong.push(`${relative(source, file)} imports ${path}: ${from} may not import ${to}`)
        const kind = (families as readonly string[]).includes(from) && from === to ? siblings(file, path) : undefined
        if (kind !== undefined && !isTest) wrong.push(kind)
      } else if (!target.startsWith('node:')) {
        const name = target.startsWith('@') ? target.split('/').slice(0, 2).join('/') : (target.split('/')[0] as string)
        if (!(name in packages) && !(isTest && name === 'fast-check'))
          wrong.push(`${relative(source, file)} imports ${target}, which package.json does not list`)
        if (['base', 'model'].includes(from) && !isTest && !['typebox', '@kaon/sdk'].includes(name))
          wrong.push(`${relative(source, file)} imports ${target}: ${from} holds no I/O`)
      }
    }
  }
  assert.deepEqual(wrong, [])
})

/** A kind of a family (a file, or a folder of its own) imports the family's interface and itself, not its siblings. */
function siblings(file: string, target: string): string | undefined {
  const [family, own] = relative(source, file).split('/') as [string, string]
  const other = target.split('/')[1] as string
  const stem = (name: string) => name.replace(/\.ts$/, '')
  const isInterface =
    stem(other) === family.replace(/s$/, '') || stem(other) === 'blob-store' || stem(other) === 'worker' || stem(other) === 'conformance'
  const isRegistry = stem(own) === 'index' || stem(own) === 'conformance'
  if (isInterface || isRegistry || stem(other).split('-')[0] === stem(own).split('-')[0]) return undefined
  return `${relative(source, file)} imports its sibling ${target}`
}
