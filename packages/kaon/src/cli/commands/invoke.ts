import type { Readable } from 'node:stream'
import { KaonError } from '../../base/errors.ts'
import { type ApiAnswer, readText } from '../api-client.ts'
import { errorOfAnswer } from '../api-errors.ts'
import { type CommandContext, defineCommand } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { functions, pathOf } from '../resource-api.ts'

export const invoke = defineCommand({
  name: 'invoke',
  description:
    'Calls a function through the API. The body of the answer goes to stdout, everything else to stderr. ' +
    'Exits with 7 when the function answers with a status of 400 or more, with 3 when there is no such function.',
  arguments: { name: { description: 'The function.', complete: 'functions' } },
  options: {
    data: { type: 'string', short: 'd', value: 'TEXT', description: 'The body: text, @FILE, or - for standard input. Makes it a POST.' },
    file: { type: 'string', value: 'FILE', description: 'The body from a file, as it is.', complete: 'files' },
    event: { type: 'string', value: 'FILE', description: 'A CloudEvent as JSON, from a file or - for standard input.', complete: 'files' },
    header: { type: 'strings', short: 'H', value: 'NAME:VALUE', description: 'A header; may be repeated.' },
    method: { type: 'string', short: 'X', value: 'METHOD', description: 'The method; otherwise POST with a body and GET without.' },
    path: { type: 'string', value: 'PATH', default: '/', description: "Path and query below the function's address." },
    repeat: { type: 'integer', value: 'N', default: 1, range: [1, 10_000], description: 'Call it this often, one after the other.' },
    async: { type: 'boolean', description: 'Not there yet: calls that are answered later.' },
    verbose: { type: 'boolean', short: 'v', description: 'Show status, headers and time on stderr.' },
  },
  examples: [
    { does: 'with a body', line: `kaon invoke hello -d '{"name":"Ada"}' -H 'content-type: application/json'` },
    { does: 'a path with a query, and what comes with the answer', line: "kaon invoke shop --path '/items?limit=3' -v" },
    { does: 'from standard input', line: 'cat photo.jpg | kaon invoke thumbnails -d - > small.jpg' },
  ],
  async run(invocation) {
    const { options, args } = invocation
    if (options.async) throw new KaonError('not_available', 'Asynchronous calls are not available yet.', { hint: 'Leave --async out.' })
    const given = [options.data, options.file, options.event].filter((value) => value !== undefined)
    if (given.length > 1) throw new KaonError('usage', 'Give one of --data, --file and --event.')
    const headers: Record<string, string | string[]> = options.event === undefined ? {} : { 'content-type': 'application/cloudevents+json' }
    for (const header of options.header) addHeader(headers, header)
    const body = await readBody(invocation, options)
    if (body !== undefined && headers['content-type'] === undefined)
      headers['content-type'] = looksLikeJson(body) ? 'application/json' : 'application/octet-stream'
    const call = {
      name: args.name,
      method: options.method ?? (body === undefined ? 'GET' : 'POST'),
      path: options.path,
      headers,
      body,
      verbose: options.verbose,
    }
    let code: number = exitCodes.fine
    for (let count = 0; count < options.repeat; count++) code = Math.max(code, await callOnce(invocation, call))
    return code
  },
})

type Call = {
  name: string
  method: string
  path: string
  headers: Record<string, string | string[]>
  body: Buffer | undefined
  verbose: boolean
}

async function callOnce({ api, settings, system, terminal, signal }: CommandContext, call: Call): Promise<number> {
  const startedAt = system.clock.monotonic()
  const path = `${pathOf(functions, settings.namespace, call.name)}/invoke${call.path.startsWith('/') ? '' : '/'}${encodeURI(call.path).replaceAll('%25', '%')}`
  const answer = await api.request(call.method, path, {
    headers: call.headers,
    signal,
    ...(call.body === undefined ? {} : { body: call.body }),
  })
  if (call.verbose)
    terminal.error(
      terminal.style.dim(
        `${answer.status} ${answer.statusText}  ${(system.clock.monotonic() - startedAt).toFixed(1)} ms\n${headerLines(answer)}`,
      ),
    )
  // Only an answer of the function or of its gateway names the function: without it, the API has refused.
  if (answer.status >= 400 && answer.headers['kaon-function'] === undefined)
    throw errorOfAnswer(answer.status, answer.headers['content-type'], await readText(answer.body))
  let last = 0x0a
  for await (const part of answer.body as AsyncIterable<Buffer>) {
    terminal.out(part)
    last = part.at(-1) ?? last
  }
  if (last !== 0x0a && terminal.outIsScreen) terminal.out('\n')
  if (answer.status < 400) return exitCodes.fine
  if (!call.verbose && !settings.isQuiet)
    terminal.error(`${terminal.style.red('error:')} '${call.name}' answered ${answer.status} ${answer.statusText}.`)
  return exitCodes.functionFailed
}

function headerLines(answer: ApiAnswer): string {
  return Object.entries(answer.headers)
    .flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\n`))
    .join('')
}

function addHeader(headers: Record<string, string | string[]>, text: string): void {
  const split = text.indexOf(':')
  const name = text.slice(0, split).trim().toLowerCase()
  const value = text.slice(split + 1).trim()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  if (split < 1 || !/^[\w!#$%&'*+.^`|~-]+$/.test(name) || /[\u0000-\u001f\u007f]/.test(value))
    throw new KaonError('usage', `Write a header as NAME:VALUE, not '${text}'.`)
  headers[name] = headers[name] === undefined ? value : [headers[name], value].flat()
}

async function readBody(
  { host, system }: CommandContext,
  options: { data: string | undefined; file: string | undefined; event: string | undefined },
): Promise<Buffer | undefined> {
  const { data, file, event } = options
  const source = file ?? event ?? (data === '-' ? '-' : data?.startsWith('@') ? data.slice(1) : undefined)
  if (source === undefined) return data === undefined ? undefined : Buffer.from(data)
  if (source === '-') return Buffer.concat(await collect(host.stdin))
  return system.files.readFile(resolveFrom(host.workingFolder, source)).catch((cause: NodeJS.ErrnoException) => {
    throw new KaonError('source_missing', `Cannot read '${source}': ${cause.code}.`, { cause })
  })
}

function resolveFrom(folder: string, path: string): string {
  return path.startsWith('/') ? path : `${folder}/${path}`
}

async function collect(input: Readable): Promise<Buffer[]> {
  const parts: Buffer[] = []
  for await (const part of input) parts.push(Buffer.from(part as Uint8Array))
  return parts
}

function looksLikeJson(body: Buffer): boolean {
  if (body.length > 1_000_000 || !/^\s*[[{"\d]/.test(body.subarray(0, 64).toString('latin1'))) return false
  try {
    JSON.parse(body.toString('utf8'))
    return true
  } catch {
    return false
  }
}
