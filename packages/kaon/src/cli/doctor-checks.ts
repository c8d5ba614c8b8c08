import { dataFolderOf, runFolderOf } from '../app/config.ts'
import { createMachine, type Machine } from '../app/machine.ts'
import { parseTime } from '../base/time.ts'
import type { CommandContext } from './command.ts'
import { serverVersion } from './commands/version.ts'
import { formatBytes } from './output/print.ts'
import { captureLine } from './run-tool.ts'

/** `failed` keeps the platform from working; `warning` will hurt somebody some day; `info` is worth knowing. */
export type Finding = { state: 'ok' | 'info' | 'warning' | 'failed'; found: string; mend?: string }
export type Check = { name: string; check(): Promise<Finding> }
export type DoctorOptions = { data: string | undefined; port: number; 'gateway-port': number }

const mib = 1024 * 1024

type Patient = { context: CommandContext; machine: Machine; options: DoctorOptions; dataFolder: string; serverIsUp: boolean }

/** Everything the doctor looks at, in the order it is shown. */
export async function checks(context: CommandContext, options: DoctorOptions): Promise<Check[]> {
  const dataFolder = dataFolderOf({
    flags: { data: options.data },
    environment: context.host.environment,
    workingFolder: context.host.workingFolder,
  })
  const serverIsUp = (await serverVersion(context.api)) !== undefined
  const patient: Patient = { context, machine: createMachine(), options, dataFolder, serverIsUp }
  const named = { ...machineChecks(patient), ...folderChecks(patient), ...networkChecks(patient), ...toolChecks(patient) }
  return Object.entries(named).map(([name, check]) => ({ name, check }))
}

type Checks = Record<string, () => Promise<Finding>>

function machineChecks({ machine, context }: Patient): Checks {
  return {
    'Node version': async () =>
      Number.parseInt(machine.nodeVersion, 10) >= 26
        ? ok(`${machine.nodeVersion} on ${machine.platform} ${machine.architecture}`)
        : failed(`${machine.nodeVersion}; 26 is needed`, "Run 'npm ci' without --omit=optional, or install Node 26 from nodejs.org."),
    memory: async () => {
      const free = machine.freeMemoryBytes()
      const found = `${formatBytes(free)} free of ${formatBytes(machine.totalMemoryBytes)}, ${machine.cores} cores`
      return free < 256 * mib ? warning(found, 'Close other programs: the platform with a few functions takes about 300 MB.') : ok(found)
    },
    'open files': async () => {
      const limit = machine.openFilesLimit()
      if (limit === undefined) return info('the system does not tell its limit')
      return limit < 1024
        ? failed(`at most ${limit} in a process`, "Raise it: 'ulimit -n 4096' in the shell that starts the platform.")
        : ok(`at most ${limit} in a process`)
    },
    clock: async () => {
      const now = context.system.clock.now()
      // This version was made in 2026: a clock before that breaks certificates and ages.
      if (now < parseTime('2026-01-01T00:00:00Z')) return failed('it is set to the past', 'Set the time of this machine, as by NTP.')
      return ok('it is set')
    },
  }
}

function folderChecks({ machine, context, dataFolder }: Patient): Checks {
  const { files, random } = context.system
  return {
    'data folder': async () => {
      const place = await nearestFolder(files, dataFolder)
      const probe = `${place}/.kaon-doctor-${random.bytes(4).toString('hex')}`
      try {
        await files.writeFile(probe, 'x', { mode: 0o600, flag: 'wx' })
        await files.rm(probe)
        return ok(`'${dataFolder}' can be written${place === dataFolder ? '' : ', and will be made'}`)
      } catch (error) {
        return failed(
          `'${dataFolder}' cannot be written (${(error as NodeJS.ErrnoException).code})`,
          'Choose another one with --data or KAON_DATA, or mend its owner and mode.',
        )
      }
    },
    'disk space': async () => {
      const free = await machine.freeDiskBytes(await nearestFolder(files, dataFolder))
      if (free < 100 * mib) return failed(`${formatBytes(free)} free`, `Free some space where '${dataFolder}' is.`)
      return free < 1024 * mib
        ? warning(`${formatBytes(free)} free`, 'Builds with dependencies may not fit: free some space.')
        : ok(`${formatBytes(free)} free`)
    },
    'socket paths': async () => {
      const folder = runFolderOf(dataFolder)
      // The longest name in it is that of a worker's socket; macOS takes 104 bytes, Linux 108.
      const longest = Buffer.byteLength(`${folder}/w-0123456789-63-99999.sock`)
      return longest > 100
        ? failed(`those in '${folder}' are up to ${longest} bytes long; 100 work everywhere`, 'Set TMPDIR or --data to a shorter path.')
        : ok(`'${folder}', up to ${longest} bytes`)
    },
  }
}

function networkChecks(patient: Patient): Checks {
  const { machine, context, options, serverIsUp } = patient
  return {
    'API port': () => portFinding(context, options.port, serverIsUp, '--port'),
    'gateway port': () => portFinding(context, options['gateway-port'], serverIsUp, '--gateway-port'),
    server: async () => {
      const version = await serverVersion(context.api)
      if (version === undefined) return info(`none answers at ${context.api.server}`, "Start it with 'kaon start'.")
      if (version !== context.host.version)
        return warning(
          `${version} at ${context.api.server}; this command is ${context.host.version}`,
          "Restart it with this version: 'kaon stop', 'kaon start'.",
        )
      return ok(`${version} at ${context.api.server}`)
    },
    gateway: async () => {
      if (!serverIsUp) return info('there is none without a server')
      const { checks: parts = [] } = await context.api
        .json<{ checks?: { name: string; ok: boolean; message?: string }[] }>('GET', '/readyz?verbose')
        .catch(() => ({ checks: [] }))
      const bad = parts.filter((part) => !part.ok)
      return bad.length === 0
        ? ok('it and the rest of the platform are ready')
        : failed(bad.map(({ name, message }) => `${name}: ${message}`).join('; '), "See 'kaon status', and gateway.log in the data folder.")
    },
    '*.localhost': async () => {
      const addresses = await machine.resolve('hello.default.localhost').catch(() => [] as string[])
      const isLoopback = addresses.length > 0 && addresses.every((address) => address.startsWith('127.') || address === '::1')
      return isLoopback
        ? ok(`it leads to ${addresses.join(', ')}`)
        : warning(
            'names below localhost do not lead to this machine',
            'Browsers and curl know them all the same; other programs use http://127.0.0.1:8080/fn/NAMESPACE/NAME/.',
          )
    },
  }
}

function toolChecks({ context }: Patient): Checks {
  const tool = (program: string, args: readonly string[], without: Finding) => async () => {
    const line = await captureLine(context.system, program, args)
    return line === undefined ? without : ok(line)
  }
  return {
    npm: tool('npm', ['--version'], warning('not found', 'Functions with dependencies need it; it comes with Node from nodejs.org.')),
    git: tool('git', ['--version'], warning('not found', 'Functions whose source is a git repository need it: install git.')),
    esbuild: async () => {
      const { transform, version } = await import('esbuild')
      await transform('let a: number = 1', { loader: 'ts' })
      return ok(version)
    },
    kubectl: tool(
      'kubectl',
      ['version', '--client', '--output=yaml'],
      info("not found; not needed, though 'kaon context export' makes it work"),
    ),
  }
}

async function portFinding({ system }: CommandContext, port: number, serverIsUp: boolean, flag: string): Promise<Finding> {
  const isFree = await new Promise<boolean>((resolve) => {
    const server = system.network.createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
  if (isFree) return ok(`${port} is free`)
  return serverIsUp
    ? ok(`${port} is in use, and the platform runs`)
    : failed(`${port} is in use by another program`, `End that one, or choose another port with ${flag}; 0 picks a free one.`)
}

/** The folder itself, or the nearest one above it that is there. */
async function nearestFolder(files: CommandContext['system']['files'], folder: string): Promise<string> {
  let at = folder
  while (!files.existsSync(at) && at.includes('/') && at !== '/') at = at.slice(0, at.lastIndexOf('/')) || '/'
  return at
}

function ok(found: string): Finding {
  return { state: 'ok', found }
}
function info(found: string, mend?: string): Finding {
  return { state: 'info', found, ...(mend === undefined ? {} : { mend }) }
}
function warning(found: string, mend: string): Finding {
  return { state: 'warning', found, mend }
}
function failed(found: string, mend: string): Finding {
  return { state: 'failed', found, mend }
}
