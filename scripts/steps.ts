import { spawn } from 'node:child_process'
import { resolve } from 'node:path'

export type Step = { name: string; command: string; args: string[]; env?: Record<string, string> }

const root = resolve(import.meta.dirname, '..')

export function step(name: string, command: string, args: string[], env?: Record<string, string>): Step {
  return env === undefined ? { name, command, args } : { name, command, args, env }
}

/** Runs one step with our own binaries first on the path; its output comes through where `show` says so, else when it fails. */
export function run({ name, command, args, env }: Step, show: 'live' | 'on-failure'): Promise<boolean> {
  const started = Date.now()
  const path = `${resolve(root, 'node_modules/.bin')}:${process.env.PATH}`
  return new Promise((done) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env, PATH: path },
      stdio: show === 'live' ? 'inherit' : 'pipe',
    })
    const output: Buffer[] = []
    child.stdout?.on('data', (chunk) => output.push(chunk))
    child.stderr?.on('data', (chunk) => output.push(chunk))
    child.on('error', (error) => {
      console.error(`✖ ${name}: ${error.message}`)
      done(false)
    })
    child.on('close', (code) => {
      // What runs live ends with its own summary, which stays the last word.
      if (show === 'on-failure') {
        console.log(`${code === 0 ? '✔' : '✖'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
        if (code !== 0) process.stdout.write(Buffer.concat(output))
      }
      done(code === 0)
    })
  })
}

/** Runs steps side by side; true when one failed. */
export async function runAll(steps: Step[]): Promise<boolean> {
  const results = await Promise.all(steps.map((each) => run(each, 'on-failure')))
  return results.includes(false)
}
