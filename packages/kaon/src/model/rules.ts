import type { FieldError } from '../base/errors.ts'
import { functionRules, revisionRules } from './function-rules.ts'
import type { Kind } from './kinds.ts'
import { routeRules } from './route-rules.ts'
import { patternWords, subdomainPattern } from './schema.ts'
import { isJsonObject, type JsonObject } from './schema-node.ts'

/** Who asks. The command line reads files that name paths beside them; a server never sees these. */
export type ValidationOptions = { origin?: 'file' | 'server' }

/** What JSON Schema cannot say, by kind. Rules see objects that may break the schema in any way, and say nothing of what they cannot read. */
const rulesByKind: Readonly<Record<string, (object: JsonObject, options: ValidationOptions) => FieldError[]>> = {
  Function: functionRules,
  Revision: revisionRules,
  Route: routeRules,
  ConfigMap: (object) => keysGivenTwice(object, 'data', 'binaryData'),
}

export function rulesOf(kind: Kind, object: JsonObject, options: ValidationOptions): FieldError[] {
  return [...metadataRules(kind, object), ...(rulesByKind[kind.kind]?.(object, options) ?? [])]
}

function metadataRules(kind: Kind, object: JsonObject): FieldError[] {
  if (!isJsonObject(object.metadata)) return []
  const { name, generateName, namespace } = object.metadata
  const errors: FieldError[] = ['labels', 'annotations'].flatMap((map) => sizeRules(map, object.metadata as JsonObject))
  if (name === undefined && generateName === undefined) errors.push({ field: 'metadata.name', message: 'is required', reason: 'required' })
  if (typeof name === 'string') errors.push(...nameRules(kind, name))
  if (namespace !== undefined && !kind.namespaced)
    errors.push({
      field: 'metadata.namespace',
      message: `must be left out: a ${kind.kind} is in no namespace`,
      value: namespace,
      reason: 'invalid',
    })
  return errors
}

/** As Kubernetes bounds annotations; each list and watch carries them along. */
const maxMapBytes = 256 * 1024

function sizeRules(map: string, metadata: JsonObject): FieldError[] {
  if (!isJsonObject(metadata[map])) return []
  let bytes = 0
  for (const [key, value] of Object.entries(metadata[map]))
    bytes += Buffer.byteLength(key) + (typeof value === 'string' ? Buffer.byteLength(value) : 0)
  if (bytes <= maxMapBytes) return []
  return [{ field: `metadata.${map}`, message: `must hold at most ${maxMapBytes} bytes in all, not ${bytes}`, reason: 'invalid' }]
}

function nameRules(kind: Kind, name: string): FieldError[] {
  const refuse = (message: string): FieldError[] => [{ field: 'metadata.name', message, value: name, reason: 'invalid' }]
  const pattern = kind.namePattern ?? subdomainPattern
  const maxLength = kind.nameMaxLength ?? 253
  if (name.length > maxLength) return refuse(`must be at most ${maxLength} characters long, not ${name.length}`)
  if (!new RegExp(pattern).test(name)) return refuse(`must be ${patternWords[pattern]}, not '${name}'`)
  return []
}

function keysGivenTwice(object: JsonObject, one: string, other: string): FieldError[] {
  const [first, second] = [object[one], object[other]]
  if (!isJsonObject(first) || !isJsonObject(second)) return []
  return Object.keys(second)
    .filter((key) => Object.hasOwn(first, key))
    .map((key) => ({ field: `${other}[${JSON.stringify(key)}]`, message: `is given in ${one} too`, reason: 'invalid' }))
}
