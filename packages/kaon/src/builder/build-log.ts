import { join } from 'node:path'
import { KaonError } from '../base/errors.ts'
import type { Clock, FileHandle, Files } from '../base/system.ts'
import { isoTime } from '../base/time.ts'
import { namePattern } from '../model/schema.ts'

const limitBytes = 4 * 1_048_576
const pieceBytes = 65_536
const nameShape = new RegExp(namePattern)

/** The log of one build while it is written. */
export type OpenBuildLog = {
  line(text: string): void
  /** Resolves when everything is in the file; followers end. */
  close(): Promise<void>
}

export type BuildLogQuery = { namespace: string; function: string; revision: string; follow: boolean; signal: AbortSignal }

export type BuildLogs = {
  /** Begins the log of a revision's build anew. */
  open(namespace: string, revision: string): OpenBuildLog
  /** What is in the log, and with `follow` what comes, until it is closed. Throws `not_found` when there is none. */
  read(query: BuildLogQuery): AsyncIterable<string>
  /** Removes the logs of a function's revisions. */
  remove(namespace: string, functionName: string): Promise<void>
  /** Removes the log of one revision. */
  removeRevision(namespace: string, revision: string): Promise<void>
}

export type BuildLogsDeps = {
  folder: string
  files: Pick<Files, 'mkdir' | 'open' | 'readdir' | 'rm'>
  clock: Pick<Clock, 'now'>
}

/** Build logs as files `<namespace>/<revision>.log`, each line with its time. */
export function createBuildLogs(deps: BuildLogsDeps): BuildLogs {
  const open = new Map<string, Writer>()
  return {
    open(namespace, revision) {
      const path = pathOf(deps.folder, namespace, revision)
      const writer = new Writer(path, deps)
      open.set(path, writer)
      return {
        line: (text) => writer.line(text),
        async close() {
          await writer.close()
          if (open.get(path) === writer) open.delete(path)
        },
      }
    },
    async *read(query) {
      const path = pathOf(deps.folder, query.namespace, query.revision)
      if (!belongsTo(query.revision, query.function)) throw missing(query)
      const writer = open.get(path)
      await writer?.written()
      const handle = await deps.files.open(path, 'r').catch(() => {
        throw missing(query)
      })
      yield* readOn(handle, query, writer)
    },
    async removeRevision(namespace, revision) {
      await deps.files.rm(pathOf(deps.folder, namespace, revision), { force: true })
    },
    async remove(namespace, functionName) {
      const folder = join(deps.folder, checked(namespace))
      const names = await deps.files.readdir(folder).catch(() => [])
      for (const name of names)
        if (belongsTo(name.replace(/\.log$/, ''), functionName)) await deps.files.rm(join(folder, name), { force: true })
    },
  }
}

/** Writes in the order of the lines, one write at a time, and wakes those who read along. */
class Writer {
  readonly #clock: Pick<Clock, 'now'>
  readonly #file: Promise<FileHandle | undefined>
  #held = ''
  #bytes = 0
  #writing: Promise<void>
  #isWriting = false
  #changed = Promise.withResolvers<void>()
  isClosed = false

  constructor(path: string, { files, clock }: BuildLogsDeps) {
    this.#clock = clock
    // A log that cannot be written is no reason for a build to fail.
    this.#file = (async () => {
      await files.mkdir(join(path, '..'), { recursive: true, mode: 0o700 })
      await files.rm(path, { force: true })
      return await files.open(path, 'wx', 0o600)
    })().catch(() => undefined)
    this.#writing = this.#file.then(() => {})
  }

  line(text: string): void {
    if (this.isClosed || this.#bytes > limitBytes) return
    const time = isoTime(this.#clock.now())
    let lines = `${text
      .split('\n')
      .map((line) => `${time} ${line}`)
      .join('\n')}\n`
    this.#bytes += Buffer.byteLength(lines)
    if (this.#bytes > limitBytes) lines = `${time} The rest of this log is left out: it is longer than ${limitBytes} bytes.\n`
    this.#held += lines
    if (this.#isWriting) return
    this.#isWriting = true
    this.#writing = this.#writing.then(() => this.#write())
  }

  /** Resolves when every line so far is in the file. */
  written(): Promise<void> {
    return this.#writing
  }

  /** Resolves at the next change after this call. */
  changed(): Promise<void> {
    return this.#changed.promise
  }

  async close(): Promise<void> {
    await this.#writing
    this.isClosed = true
    await (await this.#file)?.close()
    this.#wake()
  }

  async #write(): Promise<void> {
    const file = await this.#file
    const text = this.#held
    this.#held = ''
    this.#isWriting = false
    await file?.appendFile(text).catch(() => {})
    this.#wake()
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

async function* readOn(handle: FileHandle, { follow, signal }: BuildLogQuery, writer: Writer | undefined): AsyncGenerator<string> {
  const aborted = Promise.withResolvers<void>()
  const stop = () => aborted.resolve()
  signal.addEventListener('abort', stop, { once: true })
  const decoder = new TextDecoder()
  try {
    while (!signal.aborted) {
      const isLast = !follow || writer === undefined || writer.isClosed
      const changed = writer?.changed()
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(pieceBytes), 0, pieceBytes, null)
      if (bytesRead > 0) yield decoder.decode(buffer.subarray(0, bytesRead), { stream: true })
      else if (isLast) return
      else await Promise.race([changed, aborted.promise])
    }
  } finally {
    signal.removeEventListener('abort', stop)
    await handle.close()
  }
}

function pathOf(folder: string, namespace: string, revision: string): string {
  return join(folder, checked(namespace), `${checked(revision)}.log`)
}

function checked(name: string): string {
  if (name.length <= 63 && nameShape.test(name)) return name
  throw new KaonError('invalid_request', `'${name.slice(0, 100)}' is no name of a namespace or a revision.`)
}

function belongsTo(revision: string, functionName: string): boolean {
  return revision.startsWith(`${functionName}-`) && /^\d{5,}$/.test(revision.slice(functionName.length + 1))
}

function missing(query: BuildLogQuery): KaonError {
  return new KaonError('not_found', `There is no build log of revision '${query.revision}' of function '${query.function}'.`)
}
