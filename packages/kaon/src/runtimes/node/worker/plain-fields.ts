import { stackOf } from './source-stacks.ts'

const maxFieldsChars = 16_384

/** Fields of a log call as plain JSON values: errors with their stack, big integers as text, circles and functions named, bounded in size. */
export function plainFields(fields: unknown): Record<string, unknown> | undefined {
  if (fields === undefined || fields === null) return undefined
  if (fields instanceof Error) return { error: plainError(fields) }
  if (typeof fields !== 'object') return { value: plainValue(fields) }
  try {
    const text = JSON.stringify(fields, replacer())
    if (text === undefined) return undefined
    if (text.length > maxFieldsChars) return { truncated: `${text.slice(0, maxFieldsChars)}…` }
    const plain: unknown = JSON.parse(text)
    return typeof plain === 'object' && plain !== null && !Array.isArray(plain) ? (plain as Record<string, unknown>) : { value: plain }
  } catch (error) {
    return { unreadable: String(error instanceof Error ? error.message : error) }
  }
}

function replacer() {
  const ancestors: unknown[] = []
  return function (this: unknown, _key: string, value: unknown): unknown {
    if (value instanceof Error) return plainError(value)
    if (typeof value !== 'object' || value === null) return plainValue(value)
    while (ancestors.length > 0 && ancestors.at(-1) !== this) ancestors.pop()
    if (ancestors.includes(value)) return '[circular]'
    ancestors.push(value)
    return value
  }
}

function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value)
  if (typeof value === 'function') return `[function ${value.name}]`
  return value
}

/** Name, message, code, stack in the author's lines, and causes. */
export function plainError(error: Error, depth = 0): Record<string, unknown> {
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  const cause =
    error.cause === undefined || depth > 4
      ? {}
      : { cause: error.cause instanceof Error ? plainError(error.cause, depth + 1) : String(error.cause) }
  return { name: error.name, message: error.message, ...code, stack: stackOf(error), ...cause }
}
