import { KaonError } from '../../base/errors.ts'

// The part of kubectl's JSONPath templates that people use: text with {expressions}; in them .field, ['field'], [0], [-1], [1:3], [*], ..field,
// [?(@.a=="b")], "text", and {range …}{end}. https://kubernetes.io/docs/reference/kubectl/jsonpath/

type Step =
  | { kind: 'field'; name: string }
  | { kind: 'index'; index: number }
  | { kind: 'slice'; from: number | undefined; to: number | undefined }
  | { kind: 'all' }
  | { kind: 'descend'; name: string }
  | { kind: 'filter'; path: Step[]; operator: string; value: unknown }

type Part = { kind: 'text'; text: string } | { kind: 'path'; steps: Step[] } | { kind: 'range'; steps: Step[]; body: Part[] }

/** The template filled from `value`. Throws `usage` where the template is broken, with the position. */
export function renderJsonPath(template: string, value: unknown): string {
  // kubectl takes a bare .path too.
  const parts = parseTemplate(
    template.includes('{') ? template : `{${template.startsWith('.') || template.startsWith('[') ? '' : '.'}${template}}`,
  )
  return render(parts, value)
}

/** The values that a path such as `.status.conditions[0].type` finds. */
export function findByPath(path: string, value: unknown): unknown[] {
  return walk(parsePath(path, path), value)
}

function render(parts: readonly Part[], value: unknown): string {
  return parts
    .map((part) => {
      if (part.kind === 'text') return part.text
      const found = walk(part.steps, value)
      return part.kind === 'path' ? found.map(display).join(' ') : found.map((item) => render(part.body, item)).join('')
    })
    .join('')
}

function display(value: unknown): string {
  if (value === null || value === undefined) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function parseTemplate(template: string): Part[] {
  const stack: Part[][] = [[]]
  const top = () => stack.at(-1) as Part[]
  let position = 0
  while (position < template.length) {
    const open = template.indexOf('{', position)
    if (open !== position) top().push({ kind: 'text', text: template.slice(position, open === -1 ? undefined : open) })
    if (open === -1) break
    const close = closingBrace(template, open)
    const expression = template.slice(open + 1, close).trim()
    position = close + 1
    if (expression === 'end') {
      if (stack.length === 1) throw broken(template, 'there is an {end} without a {range}')
      stack.pop()
    } else if (expression.startsWith('range ')) {
      const range: Part = { kind: 'range', steps: parsePath(expression.slice(6).trim(), template), body: [] }
      top().push(range)
      stack.push(range.body)
    } else if (/^".*"$|^'.*'$/s.test(expression)) top().push({ kind: 'text', text: unquote(expression) })
    else top().push({ kind: 'path', steps: parsePath(expression, template) })
  }
  if (stack.length > 1) throw broken(template, 'a {range} has no {end}')
  return stack[0] as Part[]
}

function closingBrace(template: string, open: number): number {
  let quote = ''
  for (let i = open + 1; i < template.length; i++) {
    const c = template[i] as string
    if (quote !== '') {
      if (c === '\\') i += 1
      else if (c === quote) quote = ''
    } else if (c === '"' || c === "'") quote = c
    else if (c === '}') return i
  }
  throw broken(template, `the '{' at ${open + 1} is not closed`)
}

function unquote(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/g, (_all, c: string) => ({ n: '\n', t: '\t', r: '\r' })[c] ?? c)
}

const stepPattern =
  /\.\.([\w-]+|\*)|\.((?:\\.|[^.[\]\\\s])+)|\[\s*'((?:\\.|[^'\\])*)'\s*\]|\[\s*"((?:\\.|[^"\\])*)"\s*\]|\[\s*(\*)\s*\]|\[\s*(-?\d*)\s*:\s*(-?\d*)\s*\]|\[\s*(-?\d+)\s*\]|\[\?\(\s*@([^=!<>\s]*)\s*(==|!=|<=|>=|<|>)?\s*([^)]*?)\s*\)\]/y

function parsePath(path: string, template: string): Step[] {
  const text = path.replace(/^[$@]/, '')
  const steps: Step[] = []
  for (let at = 0; at < text.length && text.slice(at) !== '.'; ) {
    // Set anew each time: a filter holds a path of its own.
    stepPattern.lastIndex = at
    const match = stepPattern.exec(text)
    if (match === null) throw broken(template, `'${text.slice(at)}' is not understood`)
    at = stepPattern.lastIndex
    steps.push(stepOf(match, template))
  }
  return steps
}

function stepOf(match: RegExpExecArray, template: string): Step {
  const [, descend, field, single, double, all, from, to, index, filterPath, operator, operand] = match
  const unescaped = (text: string) => text.replace(/\\(.)/g, '$1')
  if (descend !== undefined) return { kind: 'descend', name: descend }
  if (field !== undefined) return field === '*' ? { kind: 'all' } : { kind: 'field', name: unescaped(field) }
  if (single !== undefined || double !== undefined) return { kind: 'field', name: unescaped(single ?? double ?? '') }
  if (all !== undefined) return { kind: 'all' }
  if (index !== undefined) return { kind: 'index', index: Number(index) }
  if (filterPath !== undefined)
    return { kind: 'filter', path: parsePath(filterPath, template), operator: operator ?? 'exists', value: literal(operand ?? '') }
  return { kind: 'slice', from: from ? Number(from) : undefined, to: to ? Number(to) : undefined }
}

function literal(text: string): unknown {
  if (/^".*"$|^'.*'$/s.test(text)) return unquote(text)
  if (text === 'true' || text === 'false') return text === 'true'
  return text === '' || Number.isNaN(Number(text)) ? text : Number(text)
}

function walk(steps: readonly Step[], start: unknown): unknown[] {
  return steps.reduce<unknown[]>((values, step) => values.flatMap((value) => take(step, value)), [start])
}

function take(step: Step, value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  switch (step.kind) {
    case 'field':
      return Object.hasOwn(value, step.name) ? [(value as Record<string, unknown>)[step.name]] : []
    case 'index':
      return Array.isArray(value) ? value.slice(step.index, step.index === -1 ? undefined : step.index + 1) : []
    case 'slice':
      return Array.isArray(value) ? value.slice(step.from, step.to) : []
    case 'all':
      return Object.values(value)
    case 'descend':
      return [
        ...(step.name === '*' ? Object.values(value) : take({ kind: 'field', name: step.name }, value)),
        ...Object.values(value).flatMap((child) => take(step, child)),
      ]
    case 'filter':
      return Object.values(value).filter((item) => holds(walk(step.path, item), step.operator, step.value))
    default:
      return step satisfies never
  }
}

function holds(found: readonly unknown[], operator: string, wanted: unknown): boolean {
  const [value] = found
  if (operator === 'exists') return found.length > 0
  if (operator === '==') return value === wanted
  if (operator === '!=') return value !== wanted
  if (typeof value !== typeof wanted || (typeof value !== 'number' && typeof value !== 'string')) return false
  const sign = value === wanted ? 0 : value < (wanted as typeof value) ? -1 : 1
  return operator === '<' ? sign < 0 : operator === '>' ? sign > 0 : operator === '<=' ? sign <= 0 : sign >= 0
}

function broken(template: string, why: string): KaonError {
  return new KaonError('usage', `The JSONPath '${template}' cannot be read: ${why}.`, {
    hint: "A template looks like '{.status.url}' or '{.items[*].metadata.name}'.",
  })
}
