/** Shorter values are left alone: replacing every `a` or `true` would make a log unreadable and protect nothing. */
const shortestSecret = 6
const mask = '***'

/** At which of its ends a text was cut from a longer one: a secret that the cut went through shows there as a part of itself. */
export type TextCut = { start?: boolean; end?: boolean }

export type Redactor = {
  /** The text with each secret value replaced by `***`, and at a cut end what may be a part of one. */
  text(text: string, cut?: TextCut): string
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
  const text = (input: string, cut?: TextCut) => (cut === undefined ? input : maskCutEnds(input, values, cut)).replace(pattern, mask)
  return {
    text,
    json(value) {
      const json = JSON.stringify(value)
      return quick.test(json) ? JSON.stringify(redactDeep(JSON.parse(json), text)) : json
    },
  }
}

function maskCutEnds(text: string, values: string[], { start = false, end = false }: TextCut): string {
  if (start && end && text.length >= shortestSecret && values.some((value) => value.includes(text))) return mask
  const tail = end ? Math.max(0, ...values.map((value) => endThatStarts(text, value))) : 0
  const rest = text.slice(0, text.length - tail)
  const head = start ? Math.max(0, ...values.map((value) => startThatEnds(rest, value))) : 0
  return `${head > 0 ? mask : ''}${rest.slice(head)}${tail > 0 ? mask : ''}`
}

/** Half a short secret, so that one of the two pieces of a cut is always long enough to be known. */
function shortestPart(value: string): number {
  return Math.min(shortestSecret, Math.ceil(value.length / 2))
}

/** Length of the longest end of the text that the value starts with. */
function endThatStarts(text: string, value: string): number {
  const first = value.slice(0, shortestPart(value))
  for (let at = text.indexOf(first, text.length - value.length); at !== -1; at = text.indexOf(first, at + 1))
    if (value.startsWith(text.slice(at))) return text.length - at
  return 0
}

/** Length of the longest start of the text that the value ends with. */
function startThatEnds(text: string, value: string): number {
  const last = value.slice(-shortestPart(value))
  for (let length = Math.min(text.length, value.length); length >= last.length; length--) {
    const at = text.lastIndexOf(last, length - last.length)
    if (at === -1) return 0
    length = at + last.length
    if (value.endsWith(text.slice(0, length))) return length
  }
  return 0
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
