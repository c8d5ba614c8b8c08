import { isDeepStrictEqual } from 'node:util'
import { KaonError } from '../../base/errors.ts'
import { isJsonObject, type JsonObject } from '../../model/schema-node.ts'
import { maxResourceBytes, tooLarge } from '../body.ts'
import { badRequest } from '../object-errors.ts'
import { listIndex, parsePointer } from './json-pointer.ts'

const maxOperations = 10_000
type Operation = { op: string; path: string[]; from?: string[]; value?: unknown }

/**
 * RFC 6902. The target stays as it is; the result is new.
 * Throws `invalid_request` for what is no JSON patch and `validation_failed` for one that does not fit the target.
 */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch) || patch.length > maxOperations)
    throw badRequest(`A JSON patch is a list of at most ${maxOperations} operations.`)
  let copiedBytes = 0
  const copy = (value: unknown) => {
    copiedBytes += JSON.stringify(value)?.length ?? 0
    if (copiedBytes > maxResourceBytes) throw tooLarge(maxResourceBytes)
    return structuredClone(value)
  }
  const root: JsonObject = { document: structuredClone(target) }
  for (const [index, given] of patch.entries()) apply(root, readOperation(given, index), index, copy)
  return root.document
}

function readOperation(given: unknown, index: number): Operation {
  const at = `Operation ${index} of the JSON patch`
  if (!isJsonObject(given) || typeof given.op !== 'string' || typeof given.path !== 'string') throw badRequest(`${at} lacks op or path.`)
  const { op } = given
  if (!['add', 'remove', 'replace', 'move', 'copy', 'test'].includes(op)) throw badRequest(`${at} has an op that RFC 6902 does not know.`)
  if ((op === 'add' || op === 'replace' || op === 'test') && !Object.hasOwn(given, 'value')) throw badRequest(`${at} lacks value.`)
  if (op !== 'move' && op !== 'copy') return { op, path: parsePointer(given.path), value: given.value }
  if (typeof given.from !== 'string') throw badRequest(`${at} lacks from.`)
  if (op === 'move' && given.path.startsWith(`${given.from}/`)) throw badRequest(`${at} moves a value into itself.`)
  return { op, path: parsePointer(given.path), from: parsePointer(given.from) }
}

function apply(root: JsonObject, operation: Operation, index: number, copy: (value: unknown) => unknown): void {
  // The document hangs below a root of its own, so that the empty pointer is an ordinary member.
  const path = ['document', ...operation.path]
  const from = ['document', ...(operation.from ?? [])]
  const fail = () => misfit(operation, index)
  const value =
    operation.op === 'move'
      ? remove(root, from, fail)
      : operation.op === 'copy'
        ? copy(read(root, from, fail))
        : structuredClone(operation.value)
  switch (operation.op) {
    case 'remove':
      remove(root, path, fail)
      break
    case 'replace':
      replace(root, path, value, fail)
      break
    case 'test':
      if (!isDeepStrictEqual(read(root, path, fail), value)) throw fail()
      break
    default:
      add(root, path, value, fail)
  }
}

function misfit(operation: Operation, index: number): KaonError {
  const pointer = operation.path.map((token) => `/${token}`).join('')
  const why = operation.op === 'test' ? 'the value there is another' : 'there is no such place'
  return new KaonError(
    'validation_failed',
    `Operation ${index} of the JSON patch (${operation.op} '${pointer.slice(0, 200)}') does not fit: ${why}.`,
  )
}

function read(root: JsonObject, path: readonly string[], fail: () => KaonError): unknown {
  let value: unknown = root
  for (const token of path) {
    if (Array.isArray(value)) {
      const at = listIndex(token, value.length)
      if (at === undefined) throw fail()
      value = value[at]
    } else if (isJsonObject(value) && Object.hasOwn(value, token)) value = value[token]
    else throw fail()
  }
  return value
}

function add(root: JsonObject, path: readonly string[], value: unknown, fail: () => KaonError): void {
  const parent = read(root, path.slice(0, -1), fail)
  const token = path.at(-1) as string
  if (Array.isArray(parent)) {
    const at = token === '-' ? parent.length : listIndex(token, parent.length + 1)
    if (at === undefined) throw fail()
    parent.splice(at, 0, value)
  } else if (isJsonObject(parent)) setMember(parent, token, value)
  else throw fail()
}

function remove(root: JsonObject, path: readonly string[], fail: () => KaonError): unknown {
  const removed = read(root, path, fail)
  const parent = read(root, path.slice(0, -1), fail)
  const token = path.at(-1) as string
  if (Array.isArray(parent)) parent.splice(Number(token), 1)
  else delete (parent as JsonObject)[token]
  return removed
}

function replace(root: JsonObject, path: readonly string[], value: unknown, fail: () => KaonError): void {
  read(root, path, fail)
  const parent = read(root, path.slice(0, -1), fail)
  const token = path.at(-1) as string
  if (Array.isArray(parent)) parent[Number(token)] = value
  else setMember(parent as JsonObject, token, value)
}

/** Assignment would set the prototype where the name is `__proto__`. */
function setMember(object: JsonObject, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
}
