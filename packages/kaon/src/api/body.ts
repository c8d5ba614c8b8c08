import { KaonError } from '../base/errors.ts'
import { parseJson } from './json-text.ts'
import { badRequest } from './object-errors.ts'
import { protobufType, readKubernetesProtobuf } from './protobuf/kubernetes-protobuf.ts'
import { maxYamlBytes, parseYaml } from './yaml-text.ts'

/** The largest resource that is read or stored. */
export const maxResourceBytes = 3 * 1024 * 1024
const maxDepth = 100
const valueTypes = ['application/json', 'application/yaml', protobufType]

/** The media type of a request's body, lower case and without parameters; empty when none is given. */
export function mediaType(request: Request): string {
  return (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}

/** The whole body. Throws `body_too_large` as soon as it is known to be. */
async function readBytes(request: Request, limitBytes = maxResourceBytes): Promise<Uint8Array> {
  const encoding = request.headers.get('content-encoding') ?? 'identity'
  if (encoding !== 'identity')
    throw new KaonError('unsupported_media_type', `Send the body as it is: content-encoding '${encoding.slice(0, 50)}' is not taken.`)
  if (Number(request.headers.get('content-length') ?? 0) > limitBytes) throw tooLarge(limitBytes)
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length
    if (bytes > limitBytes) throw tooLarge(limitBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw badRequest('The body is not UTF-8.')
  }
}

export function tooLarge(limitBytes: number): KaonError {
  return new KaonError('body_too_large', `The body is larger than ${limitBytes} bytes, which is all that is taken here.`)
}

/** The value in a JSON or YAML body, or in Kubernetes's protobuf; undefined when the body is empty. */
export async function readValue(request: Request): Promise<unknown> {
  const type = mediaType(request)
  const isYaml = type === 'application/yaml' || type === 'application/x-yaml' || type === 'text/yaml'
  if (type !== '' && type !== 'application/json' && type !== protobufType && !isYaml) throw unsupported(type, valueTypes)
  const bytes = await readBytes(request, isYaml ? maxYamlBytes : maxResourceBytes)
  if (type === protobufType) return bytes.length === 0 ? undefined : readKubernetesProtobuf(bytes)
  const text = textOf(bytes)
  if (text.trim() === '') return undefined
  return bounded(isYaml ? parseYaml(text) : parseJson(text))
}

/** The value in a JSON body, whatever its media type says (patches have their own). */
export async function readJson(request: Request): Promise<unknown> {
  return bounded(parseJson(textOf(await readBytes(request))))
}

export function unsupported(type: string, accepted: readonly string[]): KaonError {
  return new KaonError(
    'unsupported_media_type',
    `Content type '${type.slice(0, 100)}' is not taken here; these are: ${accepted.join(', ')}.`,
  )
}

function bounded(value: unknown): unknown {
  checkDepth(value)
  return value
}

/** Everything that walks over the value afterwards may then do so by recursion. */
function checkDepth(root: unknown): void {
  const pending: [unknown, number][] = [[root, 0]]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [value, depth] = next
    if (typeof value !== 'object' || value === null) continue
    if (depth >= maxDepth) throw badRequest(`The body is nested deeper than ${maxDepth} levels.`)
    for (const member of Object.values(value)) pending.push([member, depth + 1])
  }
}
