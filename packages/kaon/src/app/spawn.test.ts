import assert from 'node:assert/strict'
import { type IOType, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { test } from 'node:test'

const open = existsSync('/proc/self/fd') ? '/proc/self/fd' : '/dev/fd'

/** Starts Kaon's own way of starting a process from one that inherited descriptor 40, and says what the innermost has open. */
async function openInGrandchild(stdio: unknown): Promise<string[]> {
  const system = new URL('./system.ts', import.meta.url).href
  const program = `
    import { createSystem } from ${JSON.stringify(system)}
    const { processes } = createSystem()
    const child = processes.spawn('sh', ['-c', 'ls -l ${open}/ >&2'], { stdio: ${JSON.stringify(stdio)} })
    child.stderr?.pipe(process.stderr)`
  const secret = openSync(import.meta.filename, 'r')
  const inherited: (IOType | number)[] = ['ignore', 'ignore', 'pipe', ...Array<IOType>(37).fill('ignore'), secret]
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', program], { stdio: inherited })
  let text = ''
  for await (const chunk of child.stderr!) text += chunk
  closeSync(secret)
  return text.split('\n').filter((line) => line !== '')
}

test('a descriptor that was open in the shell is in no process that Kaon starts', async () => {
  for (const stdio of [['ignore', 'pipe', 'pipe', 'pipe'], 'inherit']) {
    const lines = await openInGrandchild(stdio)
    assert.ok(lines.length >= 3, lines.join('\n'))
    assert.doesNotMatch(lines.join('\n'), /spawn\.test| 40$/m)
  }
})
