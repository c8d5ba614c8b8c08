const plainName = /^[A-Za-z_$][\w$-]*$/

/** The path of a member: `spec.env`, or `data["tls.crt"]` where the name holds more than letters. */
export function memberPath(path: string, key: string): string {
  if (!plainName.test(key)) return `${path}[${JSON.stringify(key)}]`
  return path === '' ? key : `${path}.${key}`
}

/** The path of an element: `spec.env[2]`. */
export function itemPath(path: string, index: number): string {
  return `${path}[${index}]`
}

/** A value as messages show it: quoted text, cut where it is long; objects and lists by what they are. */
export function quoteValue(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 100 ? `${value.slice(0, 100)}…` : value}'`
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
