import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { npmEnvironment, plainEnvironment } from './environment.ts'
import { type Answer, type Call, call } from './http.ts'
import { until } from './wait.ts'

export const root = resolve(import.meta.dirname, '../../..')
const bin = join(root, 'packages/kaon/bin/kaon.js')

export type Ran = { code: number | null; stdout: string; stderr: string }

/** Runs the command line as a person would, without a terminal. */
export function runKaon(
  args: string[],
  options: { env?: Record<string, string>; cwd?: string; input?: string; timeoutMs?: number } = {},
): Promise<Ran> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: options.cwd ?? root,
      env: { ...plainEnvironment(), HOME: process.env.HOME ?? '', ...options.env },
      stdio: 'pipe',
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000)
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => (stdout += chunk))
    child.stderr.on('data', (chunk) => (stderr += chunk))
    child.on('error', fail)
    child.on('close', (code) => {
      clearTimeout(timer)
      done({ code, stdout, stderr })
    })
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}

/** What `<data>/platform.json` says while the platform runs. */
export type PlatformFile = { pid: number; apiUrl: string; gatewayUrl: string; controlPlanePid?: number; gatewayPid?: number }

/** A platform of its own: real processes, own data folder, free ports, own home. */
export class TestPlatform implements AsyncDisposable {
  readonly data: string
  readonly home: string
  #child: ChildProcess | undefined
  output = ''
  readonly #args: string[]

  constructor(args: string[] = []) {
    this.home = mkdtempSync(join(tmpdir(), 'kaon-e2e-'))
    this.data = join(this.home, 'data')
    this.#args = args
  }

  get env(): Record<string, string> {
    return {
      HOME: this.home,
      XDG_CONFIG_HOME: join(this.home, 'config'),
      KAON_DATA: this.data,
      KAON_SERVER: this.file.apiUrl,
      ...npmEnvironment(),
    }
  }

  get file(): PlatformFile {
    return JSON.parse(readFileSync(join(this.data, 'platform.json'), 'utf8'))
  }

  async start(): Promise<this> {
    const child = spawn(process.execPath, [bin, 'start', '--data', this.data, '--port', '0', '--gateway-port', '0', ...this.#args], {
      cwd: root,
      env: { ...plainEnvironment(), ...npmEnvironment(), HOME: this.home },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    child.stdout.on('data', (chunk) => (this.output += chunk))
    child.stderr.on('data', (chunk) => (this.output += chunk))
    await until('the platform to be ready', async () => {
      if (child.exitCode !== null) throw new Error(`kaon start ended with ${child.exitCode}: ${this.output}`)
      if (!existsSync(join(this.data, 'platform.json'))) return false
      const { pid, apiUrl, gatewayUrl } = this.file
      if (pid !== child.pid) return false
      return (await call(`${apiUrl}/readyz`)).status === 200 && (await call(`${gatewayUrl}/readyz`)).status === 200
    }).catch((error) => {
      throw new Error(`${error.message}\n${this.output}`, { cause: error })
    })
    return this
  }

  get launcher(): ChildProcess {
    if (this.#child === undefined) throw new Error('not started')
    return this.#child
  }

  kaon(args: string[], options: Parameters<typeof runKaon>[1] = {}): Promise<Ran> {
    return runKaon(args, { ...options, env: { ...this.env, ...options.env } })
  }

  /** Like `kaon`, but anything other than exit code 0 is an error. */
  async must(args: string[], options: Parameters<typeof runKaon>[1] = {}): Promise<Ran> {
    const ran = await this.kaon(args, options)
    if (ran.code !== 0) throw new Error(`kaon ${args.join(' ')} ended with ${ran.code}\n${ran.stdout}\n${ran.stderr}\n${this.output}`)
    return ran
  }

  /** A call to a function by its own host name. */
  call(functionName: string, path = '/', options: Call = {}): Promise<Answer> {
    const { port } = new URL(this.file.gatewayUrl)
    return call(`http://${functionName}.default.localhost:${port}${path}`, options)
  }

  api(path: string, options: Call = {}): Promise<Answer> {
    return call(`${this.file.apiUrl}${path}`, options)
  }

  async stop(): Promise<number | null> {
    const child = this.#child
    if (child === undefined) return null
    if (child.exitCode === null) {
      child.kill('SIGTERM')
      await until('the launcher to end', () => child.exitCode !== null || child.signalCode !== null, 30_000)
    }
    return child.exitCode
  }

  /** Processes of this machine that name the data folder, the run folder or a replica of it. Linux only; elsewhere empty. */
  leftovers(): string[] {
    if (!existsSync('/proc/self')) return []
    const found: string[] = []
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        if (command.includes(this.data) && Number(pid) !== process.pid) found.push(`${pid}: ${command}`)
      } catch {
        // It ended meanwhile.
      }
    }
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    if (existsSync(this.data)) await runKaon(['stop', '--data', this.data], { env: { HOME: this.home } })
    rmSync(this.home, { recursive: true, force: true })
  }
}
