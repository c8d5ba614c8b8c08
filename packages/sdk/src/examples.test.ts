import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

/** The code blocks under `@example`, in each file. */
function examples(): { file: string; code: string }[] {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  return files.flatMap((file) => {
    const text = readFileSync(join(import.meta.dirname, file), 'utf8')
    return [...text.matchAll(/@example\n \* ```ts\n([\s\S]*?) \* ```/g)].map((match) => ({
      file,
      code: (match[1] as string).replace(/^ \* ?/gm, ''),
    }))
  })
}

/** `expression // value` at the end of an example becomes an assertion; imports of the package become imports of its source. */
function executable(code: string): string {
  const index = pathToFileURL(join(import.meta.dirname, 'index.ts')).href
  const asserted = code.replace(/^(?!\s|import|const|export)(.+?) \/\/ (.+)$/gm, 'assert.deepEqual($1, $2); count++')
  return `import assert from 'node:assert/strict'\nlet count = 0\n${asserted.replaceAll("'@kaon/sdk'", `'${index}'`)}\nexport { count }\n`
}

test('the examples in the documentation run and give what they say', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kaon-sdk-'))
  try {
    const all = examples()
    assert.ok(all.length >= 4)
    for (const [i, { file, code }] of all.entries()) {
      const path = join(folder, `${i}.mts`)
      writeFileSync(path, executable(code))
      const { count } = (await import(pathToFileURL(path).href)) as { count: number }
      assert.ok(count > 0, `An example of ${file} says no result: ${code}`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
