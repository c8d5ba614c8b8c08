import { badRequest } from './object-errors.ts'

/** The JSON in `text`. Throws `invalid_request` with line and column of the first character that does not fit; the text itself is not repeated, it may hold secrets. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const { line, column } = positionOf(text, firstMisfit(text))
    throw badRequest(`The body is not JSON: line ${line}, column ${column}.`)
  }
}

/** Line and column of an offset, both from 1. */
export function positionOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset)
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') }
}

const space = /[ \t\n\r]*/y
const scalar = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
type Expected = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end' | 'nothing'

/** Where the text stops being JSON. Walks with a stack of its own, so that depth costs no more than length. */
function firstMisfit(text: string): number {
  const open: string[] = []
  let expected: Expected = 'value'
  let at = skip(text, space, 0)
  while (at < text.length) {
    const character = text[at] as string
    const next = step(character, expected, open)
    if (next !== undefined) {
      expected = next
      at++
    } else {
      const isKey: boolean = expected === 'key' || expected === 'key-or-end'
      const end = skip(text, scalar, at)
      if (end === at || !(isKey ? character === '"' : expected === 'value' || expected === 'value-or-end')) return at
      expected = isKey ? 'colon' : afterValue(open)
      at = end
    }
    at = skip(text, space, at)
  }
  return at
}

/** What may follow a bracket, comma or colon; undefined when it does not belong here. */
function step(character: string, expected: Expected, open: string[]): Expected | undefined {
  const wantsValue = expected === 'value' || expected === 'value-or-end'
  if (character === '{' && wantsValue) {
    open.push('}')
    return 'key-or-end'
  }
  if (character === '[' && wantsValue) {
    open.push(']')
    return 'value-or-end'
  }
  if (character === ':' && expected === 'colon') return 'value'
  if (character === ',' && expected === 'comma-or-end') return open.at(-1) === '}' ? 'key' : 'value'
  const mayEnd = expected === 'comma-or-end' || expected === 'key-or-end' || expected === 'value-or-end'
  if (mayEnd && character === open.at(-1)) {
    open.pop()
    return afterValue(open)
  }
  return undefined
}

function afterValue(open: readonly string[]): Expected {
  return open.length === 0 ? 'nothing' : 'comma-or-end'
}

function skip(text: string, pattern: RegExp, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}
