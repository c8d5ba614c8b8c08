import { createHash } from 'node:crypto'
import { homedir, tmpdir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { closestWord } from '../base/closest-word.ts'
import { KaonError } from '../base/errors.ts'
import { type LogLevel, logLevels } from '../base/log.ts'
import type { Files } from '../base/system.ts'

/** Everything that the platform is told from outside, checked and frozen. */
export type PlatformConfig = Readonly<{
  dataFolder: string
  /** Where the sockets are. */
  runFolder: string
  host: string
  /** 0 picks a free one. */
  port: number
  gatewayHost: string
  gatewayPort: number
  /** What the host names of functions end in. */
  domain: string
  /** Host names of the API besides those of this machine's loopback. */
  allowedHosts: readonly string[]
  /** SHA-256, hexadecimal, of the API's bearer token. */
  tokenDigest?: string
  /** Started, empty processes kept ready. */
  poolSize: number
  logLevel: LogLevel
}>

type Environment = Readonly<Record<string, string | undefined>>
type Row = { variable: string; fallback?: string; description: string }

/** Every setting once: its flag (and, in camel case, its key in the file), its variable and its default. */
export const settings = {
  data: { variable: 'KAON_DATA', description: 'Folder for everything that the platform keeps.' },
  host: { variable: 'KAON_HOST', fallback: '127.0.0.1', description: 'Address that the API listens on.' },
  port: { variable: 'KAON_PORT', fallback: '8070', description: 'Port of the API; 0 picks a free one.' },
  'gateway-host': { variable: 'KAON_GATEWAY_HOST', fallback: '127.0.0.1', description: 'Address that the gateway listens on.' },
  'gateway-port': { variable: 'KAON_GATEWAY_PORT', fallback: '8080', description: 'Port of the gateway; 0 picks a free one.' },
  domain: { variable: 'KAON_DOMAIN', fallback: 'localhost', description: 'What the host names of functions end in.' },
  'allowed-hosts': {
    variable: 'KAON_ALLOWED_HOSTS',
    fallback: '',
    description: 'Host names of the API beyond loopback, with commas between.',
  },
  'token-file': { variable: 'KAON_TOKEN_FILE', description: 'File with the bearer token of the API.' },
  'pool-size': { variable: 'KAON_POOL_SIZE', fallback: '1', description: 'Started, empty processes kept ready for new replicas.' },
  'log-level': { variable: 'KAON_LOG_LEVEL', fallback: 'info', description: "Least level of the platform's own log." },
} as const satisfies Record<string, Row>
export type SettingName = keyof typeof settings

export type ConfigSources = {
  /** From the command line, by the names above, and `config` for the file. */
  flags: Readonly<Partial<Record<SettingName | 'config', string | undefined>>>
  environment: Environment
  files: Pick<Files, 'readFile'>
  workingFolder: string
}

/** Flags, then variables, then the configuration file, then defaults. Throws `usage` or `config_invalid` naming the setting. */
export async function readConfig(sources: ConfigSources): Promise<PlatformConfig> {
  const { flags, environment, workingFolder } = sources
  const file = await readConfigFile(sources)
  const value = (name: SettingName): string | undefined =>
    flags[name] ?? (environment[settings[name].variable] || undefined) ?? file[name] ?? (settings[name] as Row).fallback
  const required = (name: SettingName) => value(name) ?? ''
  const dataFolder = resolve(workingFolder, value('data') ?? defaultDataFolder(environment))
  const host = checkHost('host', required('host'))
  const tokenDigest = await readTokenDigest(sources, value('token-file'))
  if (!isLoopback(host) && tokenDigest === undefined)
    throw new KaonError('usage', `Give a token before the API listens on '${host}': beyond this machine nobody is let in without one.`, {
      hint: 'Set --token-file or KAON_TOKEN, or leave --host at 127.0.0.1.',
    })
  return Object.freeze({
    dataFolder,
    runFolder: runFolderOf(dataFolder),
    host,
    port: integer('port', required('port'), 65_535),
    gatewayHost: checkHost('gateway-host', required('gateway-host')),
    gatewayPort: integer('gateway-port', required('gateway-port'), 65_535),
    domain: checkDomain(required('domain')),
    allowedHosts: Object.freeze(
      required('allowed-hosts')
        .split(',')
        .map((name) => name.trim())
        .filter(Boolean),
    ),
    ...(tokenDigest === undefined ? {} : { tokenDigest }),
    poolSize: integer('pool-size', required('pool-size'), 64),
    logLevel: checkLevel(required('log-level')),
  })
}

/** The data folder alone, for commands that only look for a platform. */
export function dataFolderOf(sources: Pick<ConfigSources, 'flags' | 'environment' | 'workingFolder'>): string {
  return resolve(sources.workingFolder, sources.flags.data ?? (sources.environment['KAON_DATA'] || defaultDataFolder(sources.environment)))
}

/** `<data>/run` where a socket's path stays short enough for the system (104 bytes on macOS), else a folder of this user's own in the temporary one. */
export function runFolderOf(dataFolder: string): string {
  const beside = join(dataFolder, 'run')
  if (Buffer.byteLength(beside) <= 60) return beside
  const hash = createHash('sha256').update(dataFolder).digest('hex').slice(0, 8)
  return join(tmpdir(), `kaon-${process.getuid?.() ?? 0}-${hash}`)
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function defaultDataFolder(environment: Environment): string {
  const base = environment['XDG_DATA_HOME']
  return join(base !== undefined && isAbsolute(base) ? base : join(environment['HOME'] || homedir(), '.local', 'share'), 'kaon')
}

async function readConfigFile({ flags, environment, files, workingFolder }: ConfigSources): Promise<Partial<Record<SettingName, string>>> {
  const named = flags.config ?? (environment['KAON_CONFIG'] || undefined)
  const base = environment['XDG_CONFIG_HOME'] || join(environment['HOME'] || homedir(), '.config')
  const path = named === undefined ? join(base, 'kaon', 'config.yaml') : resolve(workingFolder, named)
  let text: string
  try {
    text = await files.readFile(path, 'utf8')
  } catch (cause) {
    if (named === undefined) return {}
    throw new KaonError('config_invalid', `Cannot read the configuration file '${path}': ${(cause as NodeJS.ErrnoException).code}.`, {
      cause,
    })
  }
  return settingsIn(await parseYaml(path, text), path)
}

async function parseYaml(path: string, text: string): Promise<unknown> {
  const { parseDocument } = await import('yaml')
  const document = parseDocument(text)
  const error = document.errors[0]
  if (error === undefined) return document.toJS()
  const place = error.linePos?.[0]
  const where = place === undefined ? path : `${path}:${place.line}:${place.col}`
  throw new KaonError('config_invalid', `${where}: ${error.message.split('\n')[0]}`, { cause: error })
}

function settingsIn(content: unknown, path: string): Partial<Record<SettingName, string>> {
  if (content === null || content === undefined) return {}
  if (typeof content !== 'object' || Array.isArray(content))
    throw new KaonError('config_invalid', `${path}: write settings as 'name: value'.`)
  const names = new Map(Object.keys(settings).map((name) => [camelCase(name), name as SettingName]))
  const entries = Object.entries(content).map(([key, value]): [SettingName, string] => {
    const name = names.get(key)
    if (name !== undefined && ['string', 'number', 'boolean'].includes(typeof value)) return [name, String(value)]
    if (name === 'allowed-hosts' && Array.isArray(value)) return [name, value.join(',')]
    const near = closestWord(key, [...names.keys()])
    const hint = name === undefined && near !== undefined ? `Did you mean '${near}'?` : `There are ${[...names.keys()].join(', ')}.`
    throw new KaonError(
      'config_invalid',
      name === undefined ? `${path}: there is no setting '${key}'.` : `${path}: '${key}' must be one value.`,
      { hint },
    )
  })
  return Object.fromEntries(entries)
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

async function readTokenDigest(
  { environment, files, workingFolder }: ConfigSources,
  tokenFile: string | undefined,
): Promise<string | undefined> {
  let token = environment['KAON_TOKEN']
  if (tokenFile !== undefined) {
    const path = resolve(workingFolder, tokenFile)
    try {
      token = await files.readFile(path, 'utf8')
    } catch (cause) {
      throw new KaonError('config_invalid', `Cannot read the token file '${path}': ${(cause as NodeJS.ErrnoException).code}.`, { cause })
    }
    if (token.trim() === '') throw new KaonError('config_invalid', `Put a token into '${path}': it is empty.`)
  }
  const trimmed = token?.trim() ?? ''
  if (trimmed === '') return undefined
  if (/\s/.test(trimmed) || trimmed.length < 16)
    throw new KaonError('config_invalid', 'Choose a token of at least 16 characters without spaces.', {
      hint: "For example by 'openssl rand -hex 32'.",
    })
  return createHash('sha256').update(trimmed).digest('hex')
}

function integer(name: SettingName, text: string, max: number): number {
  const value = Number(text)
  if (/^\d{1,9}$/.test(text) && value <= max) return value
  throw new KaonError('usage', `Give '--${name}' a whole number from 0 to ${max}, not '${text}'.`)
}

function checkHost(name: SettingName, host: string): string {
  if (/^[A-Za-z0-9.:_-]{1,253}$/.test(host)) return host
  throw new KaonError('usage', `Give '--${name}' an address such as 127.0.0.1, not '${host}'.`)
}

function checkDomain(domain: string): string {
  if (/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(domain) && domain.length <= 150) return domain
  throw new KaonError('usage', `Give '--domain' a host name in lower case such as 'localhost', not '${domain}'.`)
}

function checkLevel(level: string): LogLevel {
  const known = logLevels.find((name) => name === level)
  if (known !== undefined) return known
  throw new KaonError('usage', `Give '--log-level' one of ${logLevels.join(', ')}, not '${level}'.`)
}

const buildVariables = ['PATH', 'HOME', 'USER', 'LANG', 'TMPDIR', 'SSH_AUTH_SOCK', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS']

/** What of the environment git, npm and build commands may see: where programs and certificates are, proxies, and npm's own settings. */
export function buildEnvironment(environment: Environment): Record<string, string> {
  const isSeen = (name: string) =>
    buildVariables.includes(name) || /^(https?|no|all)_proxy$/i.test(name) || /^npm_config_/i.test(name) || /^GIT_(SSL|SSH)/.test(name)
  return Object.fromEntries(
    Object.entries(environment).filter((pair): pair is [string, string] => isSeen(pair[0]) && pair[1] !== undefined),
  )
}

/** What of the environment the platform's own processes get: everything but the token, of which they need the digest only. Node keeps its compiled code for the next start. */
export function childEnvironment(environment: Environment): Record<string, string> {
  const passed = Object.entries(environment).filter((pair): pair is [string, string] => pair[0] !== 'KAON_TOKEN' && pair[1] !== undefined)
  return { NODE_COMPILE_CACHE: join(cacheFolderOf(environment), 'compiled'), ...Object.fromEntries(passed) }
}

/** This user's folder for what can be made again at any time, whatever the data folder. */
export function cacheFolderOf(environment: Environment): string {
  const base = environment['XDG_CACHE_HOME']
  return join(base !== undefined && isAbsolute(base) ? base : join(environment['HOME'] || homedir(), '.cache'), 'kaon')
}
