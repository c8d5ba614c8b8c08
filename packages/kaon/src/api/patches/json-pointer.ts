import { badRequest } from '../object-errors.ts'

/** The reference tokens of an RFC 6901 pointer. */
export function parsePointer(pointer: string): string[] {
  if (pointer === '') return []
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) throw badRequest(`'${pointer.slice(0, 200)}' is not a JSON pointer.`)
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The index that a token means in a list of `length`; undefined when it is none. */
export function listIndex(token: string, length: number): number | undefined {
  if (!/^(0|[1-9]\d*)$/.test(token)) return undefined
  const index = Number(token)
  return index < length ? index : undefined
}
