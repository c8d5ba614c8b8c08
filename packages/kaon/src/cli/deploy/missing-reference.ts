import type { FunctionResource } from '../../model/function.ts'
import { shellWord } from '../shell-word.ts'

type Reference = { name: string; key: string }
type Holder = { secret?: Reference; config?: Reference }

/** The commands that make the secrets and config maps which a condition with reason `MissingReference` misses; undefined when it names none of the function's. */
export function missingReferenceHint({ metadata, spec }: FunctionResource, message: string): string | undefined {
  const holders: Holder[] = [...(spec.env ?? []), ...(spec.files ?? [])]
  const scope = metadata.namespace === undefined || metadata.namespace === 'default' ? '' : ` -n ${metadata.namespace}`
  const commands = [
    ...[...keysByName(holders.flatMap(({ secret }) => secret ?? []))].flatMap(([name, keys]) => secretCommand(name, keys, scope, message)),
    ...[...keysByName(holders.flatMap(({ config }) => config ?? []))].flatMap(([name, keys]) => configCommand(name, keys, scope, message)),
  ]
  return commands.length === 0 ? undefined : commands.join(', and ')
}

function secretCommand(name: string, keys: string[], scope: string, message: string): string[] {
  if (message.includes(`no secret '${name}'`)) return [`'kaon secret create ${name}${literals(keys)}${scope}'`]
  if (!message.includes(`Secret '${name}' has no key`)) return []
  return [`'kaon secret create ${name} --replace${literals(keys)}${scope}' with all keys that it should have`]
}

function configCommand(name: string, keys: string[], scope: string, message: string): string[] {
  if (message.includes(`no config map '${name}'`))
    return [`'kubectl create configmap ${name}${literals(keys)}${scope}' or a ConfigMap in a file for 'kaon apply -f FILE'`]
  return message.includes(`Config map '${name}' has no key`) ? [`'kaon edit configmap ${name}${scope}'`] : []
}

function literals(keys: readonly string[]): string {
  return keys.map((key) => ` --from-literal ${shellWord(key)}=…`).join('')
}

function keysByName(references: readonly Reference[]): Map<string, string[]> {
  const keys = new Map<string, string[]>()
  for (const { name, key } of references) keys.set(name, [...new Set([...(keys.get(name) ?? []), key])])
  return keys
}
