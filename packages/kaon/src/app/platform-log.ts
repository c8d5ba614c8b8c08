import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import { pino } from 'pino'
import { isLogged, type Log, type LogLevel } from '../base/log.ts'

export type PlatformLogOptions = {
  file: string
  level: LogLevel
  /** Which process writes. */
  component: string
  /** Gets a line for people of each warning and error. */
  showWarning?(line: string): void
  limitBytes?: number
}

/** The platform's own log: JSON lines in a file that is put aside once (`.1`) when it has grown. */
export function createPlatformLog(options: PlatformLogOptions): Log {
  const { level, component, showWarning } = options
  const logger = pino(
    {
      level,
      base: { component },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'msg',
    },
    new TwoFiles(options.file, options.limitBytes ?? 10 * 1024 * 1024),
  )
  const wrap = (inner: typeof logger): Log => {
    const write = (at: LogLevel) => (message: string, fields?: Record<string, unknown>) => {
      inner[at](presentable(fields), message)
      if (showWarning !== undefined && isLogged(at, 'warn') && isLogged(at, level))
        showWarning(`kaon ${component}: ${message}${shortFields(fields)}`)
    }
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      with: (fields) => wrap(inner.child(fields)),
    }
  }
  return wrap(logger)
}

/** Errors as text: their own fields may hold anything. */
function presentable(fields: Record<string, unknown> | undefined): Record<string, unknown> {
  if (fields === undefined) return {}
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? (value.stack ?? value.message) : value]),
  )
}

function shortFields(fields: Record<string, unknown> | undefined): string {
  const pairs = Object.entries(fields ?? {}).flatMap(([name, value]) => {
    if (value === undefined || typeof value === 'object') return []
    return [`${name}=${String(value).split('\n')[0]?.slice(0, 200)}`]
  })
  return pairs.length === 0 ? '' : ` (${pairs.join(', ')})`
}

/** Written at once, so that the last words before a crash are there. A full disk costs lines, never the platform. */
class TwoFiles {
  readonly #path: string
  readonly #limitBytes: number
  #descriptor: number | undefined
  #bytes = 0

  constructor(path: string, limitBytes: number) {
    this.#path = path
    this.#limitBytes = limitBytes
  }

  write(line: string): void {
    try {
      if (this.#bytes >= this.#limitBytes) this.#putAside()
      this.#descriptor ??= this.#open()
      this.#bytes += writeSync(this.#descriptor, line)
    } catch {
      // There is nobody left to tell.
    }
  }

  #open(): number {
    const descriptor = openSync(this.#path, 'a', 0o600)
    this.#bytes = fstatSync(descriptor).size
    return descriptor
  }

  #putAside(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
    renameSync(this.#path, `${this.#path}.1`)
    this.#bytes = 0
  }
}
