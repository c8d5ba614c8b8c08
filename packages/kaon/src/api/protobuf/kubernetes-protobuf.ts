import { kubernetesTime } from '../../base/time.ts'
import type { JsonObject } from '../../model/schema-node.ts'
import { badRequest } from '../object-errors.ts'
import { coreMessages, type Field, type FieldType, type Message } from './core-messages.ts'
import { readFields, type WireField } from './wire-reader.ts'

export const protobufType = 'application/vnd.kubernetes.protobuf'
const magic = 'k8s\0'
const typeMeta: Message = { fields: { 1: { name: 'apiVersion', type: 'string' }, 2: { name: 'kind', type: 'string' } } }
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * The object in a body of Kubernetes's own clients (kubectl create, client-go), which send the core kinds in this form and nothing else:
 * four bytes, then a `runtime.Unknown` with kind and message. Throws `invalid_request`. Answers are JSON, which they take too.
 */
export function readKubernetesProtobuf(body: Uint8Array): JsonObject {
  try {
    if (Buffer.from(body.subarray(0, magic.length)).toString('latin1') !== magic) throw new RangeError('it does not begin as one')
    let type: JsonObject = {}
    let raw: Uint8Array = new Uint8Array()
    for (const { number, value } of readFields(body.subarray(magic.length))) {
      if (number === 1) type = readMessage(typeMeta, bytesOf(value))
      if (number === 2) raw = bytesOf(value)
    }
    const kind = String(type.kind)
    const message = Object.hasOwn(coreMessages, kind) ? coreMessages[kind] : undefined
    if (message === undefined) throw new RangeError('its kind is not one of those taken so')
    return { ...type, ...readMessage(message, raw) }
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error
    throw badRequest(
      `The body is not a Kubernetes protobuf message: ${error instanceof RangeError ? error.message : 'a text is not UTF-8'}.`,
    )
  }
}

function readMessage(message: Message, bytes: Uint8Array): JsonObject {
  const members = new Map<string, unknown>()
  for (const wire of readFields(bytes)) {
    const field = Object.hasOwn(message.fields, wire.number) ? message.fields[wire.number] : undefined
    if (field === undefined) continue
    const value = readValue(field.type, wire)
    // Go's types send every text; an empty one is one that was not given.
    if (value !== '' || field.repeated === true) members.set(field.name, joined(field, members.get(field.name), value))
  }
  return Object.fromEntries(members)
}

/** A repeated field comes once for each item, a map once for each entry. */
function joined(field: Field, before: unknown, value: unknown): unknown {
  if (field.repeated === true) return [...((before as unknown[] | undefined) ?? []), value]
  if (typeof field.type === 'object' && 'mapOf' in field.type) {
    const [key, item] = value as [string, unknown]
    return Object.fromEntries([...Object.entries((before as object | undefined) ?? {}), [key, item]])
  }
  return value
}

function readValue(type: FieldType, { value }: WireField): unknown {
  if (typeof type === 'object') return 'mapOf' in type ? readEntry(type.mapOf, bytesOf(value)) : readMessage(type, bytesOf(value))
  switch (type) {
    case 'string':
      return utf8.decode(bytesOf(value))
    case 'bytes':
      return Buffer.from(bytesOf(value)).toString('base64')
    case 'boolean':
      return numberOf(value) !== 0n
    case 'integer':
      return Number(BigInt.asIntN(64, numberOf(value)))
    case 'time':
      return readTime(bytesOf(value))
    default:
      return type satisfies never
  }
}

function readEntry(type: 'string' | 'bytes', bytes: Uint8Array): [string, unknown] {
  const entry: Message = { fields: { 1: { name: 'key', type: 'string' }, 2: { name: 'value', type } } }
  const { key = '', value = '' } = readMessage(entry, bytes)
  return [key as string, value]
}

/** Undefined where no time was set, which is an empty message. */
function readTime(bytes: Uint8Array): string | undefined {
  const { seconds } = readMessage({ fields: { 1: { name: 'seconds', type: 'integer' } } }, bytes)
  if (typeof seconds !== 'number' || Math.abs(seconds) > 8.64e12) return undefined
  return kubernetesTime(seconds * 1000)
}

function bytesOf(value: bigint | Uint8Array): Uint8Array {
  if (typeof value === 'bigint') throw new RangeError('a field is a number where it should not be')
  return value
}

function numberOf(value: bigint | Uint8Array): bigint {
  if (typeof value !== 'bigint') throw new RangeError('a field is not the number that it should be')
  return value
}
