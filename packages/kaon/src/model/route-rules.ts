import type { FieldError } from '../base/errors.ts'
import { exactlyOne, givenTwice, invalidField, membersOf, objectsOf } from './rule-reading.ts'
import type { JsonObject } from './schema-node.ts'

export function routeRules(object: JsonObject): FieldError[] {
  const spec = membersOf(object.spec)
  const hosts = Array.isArray(spec.hosts) ? spec.hosts.map((value, index) => ({ value, index })) : []
  return [
    ...givenTwice((index) => `spec.hosts[${index}]`, hosts),
    ...objectsOf(spec.rules).flatMap(({ item, index }) => ruleRules(item, `spec.rules[${index}]`)),
  ]
}

function ruleRules(rule: JsonObject, path: string): FieldError[] {
  return [
    ...objectsOf(rule.to).flatMap(({ item, index }) => destinationRules(item, `${path}.to[${index}]`)),
    ...weightRules(rule.to, path),
    ...(rule.auth === undefined ? [] : exactlyOne(`${path}.auth`, membersOf(rule.auth), ['open', 'apiKey'])),
    ...corsRules(membersOf(rule.cors), `${path}.cors`),
  ]
}

function destinationRules(destination: JsonObject, path: string): FieldError[] {
  const errors = exactlyOne(path, destination, ['function', 'url'])
  if (destination.revision !== undefined && destination.function === undefined)
    errors.push(invalidField(`${path}.revision`, 'is for a function: name it in function', destination.revision))
  return errors
}

function weightRules(to: unknown, path: string): FieldError[] {
  const destinations = objectsOf(to)
  if (destinations.length === 0 || destinations.some(({ item }) => item.weight !== 0)) return []
  return [invalidField(`${path}.to`, 'must have a destination whose weight is not 0')]
}

function corsRules({ origins, credentials }: JsonObject, path: string): FieldError[] {
  if (credentials !== true || !Array.isArray(origins) || !origins.includes('*')) return []
  return [invalidField(`${path}.credentials`, "must be false where origins holds '*': browsers refuse the two together", true)]
}
