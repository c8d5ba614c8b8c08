import { dataFolderOf, runFolderOf } from '../../app/config.ts'
import { isAlive, type PlatformFile, readPlatformFile } from '../../app/platform-file.ts'
import type { FunctionResource } from '../../model/function.ts'
import { readRecords } from '../../platforms/local/replica-record.ts'
import { createApiClient } from '../api-client.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { memoryOf } from '../memory-of.ts'
import { formatBytes, formatData } from '../output/print.ts'
import { renderRows } from '../output/table.ts'
import { functions, listAll, pathOf } from '../resource-api.ts'

const serverPatienceMs = 2000

export const status = defineCommand({
  name: 'status',
  description:
    'Shows the platform of a data folder: its processes with their memory, its addresses, its functions. Exits with 1 when it does not run, and then says whether the server in force (--server, a context, or the usual address) answers.',
  arguments: {},
  options: {
    data: { type: 'string', value: 'FOLDER', description: "The platform's data folder.", environment: 'KAON_DATA', complete: 'files' },
  },
  examples: [
    { does: 'what runs', line: 'kaon status' },
    { does: 'its address, for a script', line: "kaon status -o jsonpath='{.apiUrl}'" },
  ],
  async run(invocation) {
    const { options, host, system, settings, terminal } = invocation
    const dataFolder = dataFolderOf({ flags: { data: options.data }, environment: host.environment, workingFolder: host.workingFolder })
    const platform = await readPlatformFile(system.files, { dataFolder, runFolder: runFolderOf(dataFolder) })
    const isRunning = platform !== undefined && (await isAlive(system.processes, platform.pid, platform.startTime))
    const processes = await processesOf(invocation, dataFolder, isRunning ? platform : undefined)
    const found = isRunning ? await functionsOf(invocation, platform) : []
    const server = isRunning ? undefined : await serverOf(invocation)
    const report = {
      running: isRunning,
      dataFolder,
      ...(server === undefined ? {} : { server }),
      ...(isRunning
        ? { version: platform.version, startedAt: platform.startedAt, apiUrl: platform.apiUrl, gatewayUrl: platform.gatewayUrl }
        : {}),
      processes,
      functions: found,
    }
    if (settings.output?.kind === 'json' || settings.output?.kind === 'yaml' || settings.output?.kind === 'jsonpath')
      terminal.out(await formatData(settings.output, report))
    else terminal.out(render(report))
    return isRunning ? exitCodes.fine : exitCodes.failed
  },
})

type Server = { url: string; version: string }
type ProcessRow = { what: string; pid: number; memoryBytes: number }
type FunctionRow = { namespace: string; name: string; ready: string; replicas: number; url: string }
type Report = {
  running: boolean
  dataFolder: string
  /** Another platform, which answers though none runs on the data folder. */
  server?: Server
  version?: string
  startedAt?: string
  apiUrl?: string
  gatewayUrl?: string
  processes: ProcessRow[]
  functions: FunctionRow[]
}

/** Also without a platform: replicas outlive it. */
async function processesOf({ system }: CommandContext, dataFolder: string, platform: PlatformFile | undefined): Promise<ProcessRow[]> {
  const { records } = await readRecords(system.files, dataFolder)
  const parts: [string, number | undefined][] = [
    ['launcher', platform?.pid],
    ['control plane', platform?.controlPlanePid],
    ['gateway', platform?.gatewayPid],
    ...records.map(({ assigned, pid }): [string, number] => [
      assigned === undefined ? 'replica, waiting in the pool' : `replica of ${assigned.namespace}/${assigned.revision}`,
      pid,
    ]),
  ]
  const memory = await memoryOf(
    system,
    parts.flatMap(([, pid]) => pid ?? []),
  )
  return parts.flatMap(([what, pid]) =>
    pid === undefined || !memory.has(pid) ? [] : [{ what, pid, memoryBytes: memory.get(pid) as number }],
  )
}

async function functionsOf({ system, settings, host }: CommandContext, { apiUrl }: PlatformFile): Promise<FunctionRow[]> {
  const api = createApiClient(system, { server: apiUrl, token: settings.token, version: host.version })
  try {
    const found = (await Array.fromAsync(listAll(api, pathOf(functions, undefined)))) as FunctionResource[]
    return found.map(({ metadata, status }) => ({
      namespace: metadata.namespace ?? '',
      name: metadata.name ?? '',
      ready: status?.conditions?.find(({ type }) => type === 'Ready')?.status ?? 'Unknown',
      replicas: status?.replicas ?? 0,
      url: status?.url ?? '',
    }))
  } finally {
    api.close()
  }
}

/** The server that commands would talk to, if one answers there soon. */
async function serverOf({ api, system, settings }: CommandContext): Promise<Server | undefined> {
  const late = new AbortController()
  const timer = system.clock.after(serverPatienceMs, () => late.abort())
  try {
    const { gitVersion } = await api.json<{ gitVersion?: unknown }>('GET', '/version', undefined, { signal: late.signal })
    return typeof gitVersion === 'string' ? { url: settings.server, version: gitVersion } : undefined
  } catch {
    return undefined
  } finally {
    timer.cancel()
  }
}

function render({ running, dataFolder, server, version, startedAt, apiUrl, gatewayUrl, processes, functions: found }: Report): string {
  const head = running
    ? [
        ['Kaon', `${version}, since ${startedAt}`],
        ['API', apiUrl ?? ''],
        ['Gateway', gatewayUrl ?? ''],
        ['Data', dataFolder],
      ]
    : [
        ['Kaon', server === undefined ? "does not run; start it with 'kaon start'" : 'does not run on this data folder'],
        ['Data', dataFolder],
        ...(server === undefined ? [] : [['Server', `${server.version} answers at ${server.url}`]]),
      ]
  const sections = [renderRows(head)]
  if (processes.length > 0) {
    const total = processes.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
    const rows = processes.map(({ what, pid, memoryBytes }) => [what, String(pid), formatBytes(memoryBytes)])
    sections.push(renderRows([['PROCESS', 'PID', 'MEMORY'], ...rows, ['all', '', formatBytes(total)]]))
  }
  if (found.length > 0) {
    const rows = found.map((fn) => [`${fn.namespace}/${fn.name}`, fn.ready, String(fn.replicas), fn.url])
    sections.push(renderRows([['FUNCTION', 'READY', 'REPLICAS', 'URL'], ...rows]))
  }
  return sections.join('\n')
}
