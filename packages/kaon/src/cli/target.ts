import { KaonError } from '../base/errors.ts'

/** What a command line names: a kind, with or without a name. */
export type Target = { kind: string; name: string | undefined }

/** `functions`, `functions,routes`, `function hello other` and `function/hello route/shop` as targets. Throws `usage`. */
export function splitKind(kind: string, names: readonly string[]): Target[] {
  if (kind.includes('/')) return [kind, ...names].map(splitName)
  if (names.some((name) => name.includes('/')))
    throw new KaonError('usage', `Write KIND NAME or KIND/NAME, not '${kind} ${names.find((name) => name.includes('/'))}'.`)
  const kinds = kind.split(',').filter((word) => word !== '')
  if (kinds.length > 1 && names.length > 0) throw new KaonError('usage', `A name belongs to one kind, not to '${kind}'.`)
  return names.length === 0 ? kinds.map((one) => ({ kind: one, name: undefined })) : names.map((name) => ({ kind, name }))
}

function splitName(word: string): Target {
  const [kind, name, ...more] = word.split('/')
  if (!kind || !name || more.length > 0) throw new KaonError('usage', `Write KIND/NAME, as in 'function/hello', not '${word}'.`)
  return { kind, name }
}
