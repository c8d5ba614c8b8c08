import type { PlatformConfig } from '../app/config.ts'
import { type PlatformFile, readPlatformFile } from '../app/platform-file.ts'
import { KaonError } from '../base/errors.ts'
import { makeFolder } from '../base/make-folder.ts'
import { createApiClient } from './api-client.ts'
import type { CommandContext } from './command.ts'

const patienceMs = 60_000
const pollMs = 20

/** Starts the same command line without --detach in a session of its own; resolves when it serves, or with the exit code it ended with. */
export async function startDetached(
  { host, system, terminal, signal }: CommandContext,
  config: PlatformConfig,
): Promise<PlatformFile | { exitCode: number }> {
  const { files, processes, clock } = system
  const path = `${config.dataFolder}/start.log`
  const output = await openOutput(system, config.dataFolder, path)
  const args = host.args.filter((word) => word !== '--detach' && word !== '--detach=true')
  const child = processes.spawn(processes.nodePath, [host.entry, ...args], {
    detached: true,
    stdio: ['ignore', output.fd, output.fd],
    env: { ...host.environment, NO_COLOR: '1' },
    cwd: host.workingFolder,
  })
  await output.close()
  let exitCode: number | undefined
  child.on('exit', (code) => {
    exitCode = code ?? 1
  })
  for (const end = clock.monotonic() + patienceMs; clock.monotonic() < end; await clock.sleep(pollMs, signal)) {
    if (exitCode !== undefined) {
      terminal.errorRaw(await files.readFile(path, 'utf8'))
      return { exitCode }
    }
    const platform = await readPlatformFile(files, config)
    if (platform?.pid !== child.pid || !(await isReady(system, platform as PlatformFile, host.version))) continue
    child.unref()
    return platform as PlatformFile
  }
  throw new KaonError('timed_out', `The platform does not serve after ${patienceMs / 1000} s.`, { hint: `See '${path}'.` })
}

async function openOutput({ files }: CommandContext['system'], folder: string, path: string) {
  try {
    await makeFolder(files, folder)
    return await files.open(path, 'w', 0o600)
  } catch (cause) {
    throw new KaonError('data_read_only', `The data folder '${folder}' cannot be written (${(cause as NodeJS.ErrnoException).code}).`, {
      cause,
      hint: 'Choose another folder with --data.',
    })
  }
}

async function isReady(system: CommandContext['system'], platform: PlatformFile, version: string): Promise<boolean> {
  const api = createApiClient(system, { server: platform.apiUrl, token: undefined, version })
  try {
    const { status, body } = await api.request('GET', '/readyz')
    body.resume()
    return status === 200
  } catch {
    return false
  } finally {
    api.close()
  }
}
