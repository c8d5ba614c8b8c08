/** Shorter values are left alone: replacing every `a` or `true` would make a log unreadable and protect nothing. */
const shortestSecret = 6
const mask = '***'

export type Redactor = {
  /** The text with each secret value replaced by `***`. */
  text(text: string): string
  /** The value as JSON, secrets in its strings, numbers and names replaced. */
  json(value: unknown): string
}

/** Replaces known secret values wherever they turn up. A value of several lines also counts line by line, since output comes by lines. */
export function createRedactor(secrets: Iterable<string>): Redactor {
  const values = [...new Set([...secrets].flatMap(forms))].sort((a, b) => b.length - a.length)
  if (values.length === 0) return { text: (text) => text, json: (value) => JSON.stringify(value) }
  const pattern = new RegExp(values.map(escapePattern).join('|'), 'g')
  // Most lines hold no secret: one search over the finished JSON, with the values as JSON writes them, tells so cheaply.
  const quick = new RegExp(values.map((value) => escapePattern(JSON.stringify(value).slice(1, -1))).join('|'))
  const text = (input: string) => input.replace(pattern, mask)
  return {
    text,
    json(value) {
      const json = JSON.stringify(value)
      return quick.test(json) ? JSON.stringify(redactDeep(JSON.parse(json), text)) : json
    },
  }
}

function forms(secret: string): string[] {
  const lines = secret.includes('\n') ? secret.split(/\r?\n/).filter((line) => !line.startsWith('-----')) : []
  return [secret, secret.trim(), ...lines].filter((value) => value.length >= shortestSecret)
}

function escapePattern(value: string): string {
  return value.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}

function redactDeep(value: unknown, text: (input: string) => string): unknown {
  if (typeof value === 'string') return text(value)
  if (typeof value === 'number') return text(String(value)).includes(mask) ? mask : value
  if (Array.isArray(value)) return value.map((item) => redactDeep(item, text))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [text(name), redactDeep(item, text)]))
}
