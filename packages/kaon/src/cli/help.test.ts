import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Argument, Option } from './command.ts'
import { globalOptions } from './global-options.ts'
import { renderCommand } from './help.ts'
import { commandEntries } from './registry.ts'
import { createStyle } from './terminal.ts'
import { runTestCli } from './test-cli.ts'

const entries = await Promise.all(commandEntries.map(async (entry) => ({ entry, command: await entry.load() })))

test('a command has the name it is registered by, and no two have the same', () => {
  for (const { entry, command } of entries) assert.equal(command.name, entry.name)
  assert.equal(new Set(commandEntries.map(({ name }) => name)).size, commandEntries.length)
})

test('every example is a line that its own command takes', async () => {
  const { parseWords } = await import('./parse.ts')
  for (const { command } of entries)
    for (const { line } of command.examples) {
      assert.match(line, new RegExp(`\\bkaon ${command.name}\\b`), line)
      // The words up to what a shell would take for its own.
      const after = line.slice(line.indexOf(`kaon ${command.name}`) + `kaon ${command.name}`.length)
      const words = [...after.matchAll(/\s+(?:'([^']*)'|"([^"]*)"|((?:[^\s'"|>&)]|'[^']*'|"[^"]*")+))|\s*[|>&)]/g)]
      const end = words.findIndex(([word]) => /^\s*[|>&)]/.test(word))
      const plain = words.slice(0, end === -1 ? undefined : end).map(([, a, b, c]) => a ?? b ?? (c ?? '').replace(/['"]/g, ''))
      assert.doesNotThrow(() => parseWords({ ...command, options: { ...globalOptions, ...command.options } }, plain, {}), line)
    }
})

test("a command's options neither hide a global one nor share a letter", () => {
  for (const { command } of entries) {
    const own = command.options as Record<string, Option>
    for (const name of Object.keys(own)) assert.ok(!(name in globalOptions), `${command.name} --${name}`)
    const letters = Object.values({ ...globalOptions, ...own } as Record<string, Option>).flatMap(({ short }) => short ?? [])
    assert.equal(new Set(letters).size, letters.length, `${command.name}: ${letters}`)
  }
})

test('the help of a command names every word and option with what it does', () => {
  for (const { command } of entries) {
    const help = renderCommand(command, createStyle(false))
    assert.ok(help.startsWith(`Usage  kaon ${command.name}`), help)
    assert.ok(help.includes(command.description))
    for (const [name, { description }] of Object.entries(command.arguments as Record<string, Argument>))
      assert.ok(help.includes(name.toUpperCase()) && help.includes(description), `${command.name} ${name}`)
    for (const [name, { description, default: fallback, type }] of Object.entries(command.options as Record<string, Option>)) {
      assert.match(help, new RegExp(`--(no-)?${name}\\b`))
      assert.ok(help.includes(description), `${command.name} --${name}`)
      if (type !== 'boolean' && fallback !== undefined) assert.match(help, new RegExp(`default ${fallback}`))
    }
  }
})

test('kaon --help names every command that is not hidden', async () => {
  const { code, out, error } = await runTestCli(['--help'])
  assert.equal(code, 0)
  assert.equal(error, '')
  for (const { name, summary, hidden } of commandEntries) assert.equal(out.includes(`  ${name} `) && out.includes(summary), !hidden, name)
})

test('kaon help COMMAND and kaon COMMAND --help say the same', async () => {
  const [a, b] = [await runTestCli(['help', 'secret', 'create']), await runTestCli(['secret', 'create', '-h'])]
  assert.deepEqual(a, b)
  assert.equal(a.code, 0)
})

test('kaon alone and a group alone show help on stderr and count as used wrongly', async () => {
  const alone = await runTestCli([])
  assert.equal(alone.code, 2)
  assert.equal(alone.out, '')
  assert.match(alone.error, /Usage {2}kaon COMMAND/)
  const group = await runTestCli(['secret'])
  assert.equal(group.code, 2)
  assert.match(group.error, /secret create/)
})
