import type { FieldError } from '../base/errors.ts'
import { exactlyOne, givenTwice, invalidField, membersOf, objectsOf, unsafePath } from './rule-reading.ts'
import type { ValidationOptions } from './rules.ts'
import type { JsonObject } from './schema-node.ts'

const sources = ['inline', 'path', 'upload', 'archive', 'git'] as const
const origins = ['value', 'secret', 'config'] as const
/** Names that the platform sets itself. */
const platformVariable = /^(KAON_|K_|PORT$)/

export function functionRules(object: JsonObject, options: ValidationOptions): FieldError[] {
  const spec = membersOf(object.spec)
  return [...templateRules(spec, options), ...scaleRules(membersOf(spec.scale)), ...trafficRules(spec.traffic)]
}

export function revisionRules(object: JsonObject, options: ValidationOptions): FieldError[] {
  return templateRules(membersOf(object.spec), options)
}

/** The part that a Function and its Revisions share. */
function templateRules(spec: JsonObject, options: ValidationOptions): FieldError[] {
  return [
    ...sourceRules(spec, options),
    ...environmentRules(spec.env),
    ...fileRules(spec.files),
    ...handlerRules(spec.handler),
    ...securityRules(spec),
  ]
}

function sourceRules(spec: JsonObject, { origin = 'file' }: ValidationOptions): FieldError[] {
  if (spec.source === undefined) return []
  const source = membersOf(spec.source)
  const errors = exactlyOne('spec.source', source, sources)
  if (source.path !== undefined && origin === 'server')
    errors.push(
      invalidField(
        'spec.source.path',
        "is for the command line, which uploads what is there: use 'kaon deploy' or 'kaon apply'",
        source.path,
      ),
    )
  const inRepository = membersOf(source.git).path
  const unsafe = typeof inRepository === 'string' ? unsafePath(inRepository, { absolute: 'refused' }) : undefined
  return unsafe === undefined ? errors : [...errors, invalidField('spec.source.git.path', unsafe, inRepository)]
}

function environmentRules(env: unknown): FieldError[] {
  const variables = objectsOf(env)
  const field = (index: number) => `spec.env[${index}]`
  const ofPlatform = variables.filter(({ item }) => typeof item.name === 'string' && platformVariable.test(item.name))
  return [
    ...variables.flatMap(({ item, index }) => exactlyOne(field(index), item, origins)),
    ...ofPlatform.map(({ item, index }) =>
      invalidField(
        `${field(index)}.name`,
        `must not be PORT nor begin with KAON_ or K_, which the platform sets itself: '${item.name}'`,
        item.name,
      ),
    ),
    ...givenTwice(
      (index) => `${field(index)}.name`,
      variables.map(({ item, index }) => ({ value: item.name, index })),
    ),
  ]
}

function fileRules(list: unknown): FieldError[] {
  const files = objectsOf(list)
  const field = (index: number) => `spec.files[${index}]`
  return [
    ...files.flatMap(({ item, index }) => exactlyOne(field(index), item, origins)),
    ...files.flatMap(({ item, index }) => {
      const unsafe = typeof item.path === 'string' ? unsafePath(item.path, { absolute: 'allowed' }) : undefined
      return unsafe === undefined ? [] : [invalidField(`${field(index)}.path`, unsafe, item.path)]
    }),
    ...givenTwice(
      (index) => `${field(index)}.path`,
      files.map(({ item, index }) => ({ value: item.path, index })),
    ),
  ]
}

function handlerRules(handler: unknown): FieldError[] {
  const unsafe = typeof handler === 'string' ? unsafePath(handler.split('#')[0]!, { absolute: 'refused' }) : undefined
  return unsafe === undefined ? [] : [invalidField('spec.handler', `${unsafe}: it is a file of the source`, handler)]
}

function securityRules(spec: JsonObject): FieldError[] {
  const { sandbox } = membersOf(spec.security)
  if (sandbox !== 'strict') return []
  const message = "'strict' is not available yet: it comes with the sandboxes; until then every function runs as 'process'"
  return [{ field: 'spec.security.sandbox', message, value: sandbox, reason: 'not_available' }]
}

function scaleRules({ min, max }: JsonObject): FieldError[] {
  if (typeof min !== 'number' || typeof max !== 'number' || min <= max) return []
  return [invalidField('spec.scale.min', `must not be more than spec.scale.max, which is ${max}, but is ${min}`, min)]
}

function trafficRules(traffic: unknown): FieldError[] {
  const targets = objectsOf(traffic)
  const percents = targets.flatMap(({ item }) => (typeof item.percent === 'number' ? [item.percent] : []))
  const sum = percents.reduce((total, percent) => total + percent, 0)
  return [
    ...(percents.length > 0 && sum !== 100 ? [invalidField('spec.traffic', `must have percents that make 100 together, not ${sum}`)] : []),
    ...givenTwice(
      (index) => `spec.traffic[${index}].tag`,
      targets.map(({ item, index }) => ({ value: item.tag, index })),
    ),
  ]
}
