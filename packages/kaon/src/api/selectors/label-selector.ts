import { badRequest } from '../object-errors.ts'

type Labels = Readonly<Record<string, string>>
type LabelSelector = (labels: Labels) => boolean

const key = '(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?'
const value = '(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?'
const present = new RegExp(`^(!?)\\s*(${key})$`)
const compared = new RegExp(`^(${key})\\s*(==|=|!=|>|<)\\s*(${value})$`)
const inSet = new RegExp(`^(${key})\\s+(in|notin)\\s*\\(([^()]*)\\)$`)
const onlyValue = new RegExp(`^${value}$`)

/** Kubernetes's label selectors: `a=b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`, `a>1`, joined by commas. Throws `invalid_request`. */
export function parseLabelSelector(text: string): LabelSelector {
  const requirements = splitTerms(text).map((term) => parseRequirement(term, text))
  return (labels) => requirements.every((holds) => holds(labels))
}

/** Splits at commas that are not in parentheses. */
function splitTerms(text: string): string[] {
  if (text.trim() === '') return []
  return text.split(/,(?![^(]*\))/).map((term) => term.trim())
}

function parseRequirement(term: string, text: string): LabelSelector {
  const [, not, name] = present.exec(term) ?? []
  if (name !== undefined) return (labels) => Object.hasOwn(labels, name) === (not === '')
  const [, left, operator, right] = compared.exec(term) ?? []
  if (left !== undefined && operator !== undefined && right !== undefined) return comparison(left, operator, right, text)
  const [, member, which, list] = inSet.exec(term) ?? []
  const values = list?.split(',').map((item) => item.trim()) ?? []
  if (member === undefined || !values.every((item) => onlyValue.test(item))) throw malformed(text)
  const isIn = (labels: Labels) => Object.hasOwn(labels, member) && values.includes(labels[member] as string)
  return which === 'in' ? isIn : (labels) => !isIn(labels)
}

function comparison(name: string, operator: string, wanted: string, text: string): LabelSelector {
  const equals = (labels: Labels) => Object.hasOwn(labels, name) && labels[name] === wanted
  if (operator === '!=') return (labels) => !equals(labels)
  if (operator === '=' || operator === '==') return equals
  if (!/^\d+$/.test(wanted)) throw malformed(text)
  const sign = operator === '>' ? 1 : -1
  return (labels) => /^\d+$/.test(labels[name] ?? '') && (Number(labels[name]) - Number(wanted)) * sign > 0
}

function malformed(text: string) {
  return badRequest(`'${text.slice(0, 200)}' is not a label selector.`, "Write it as in 'app=shop,tier in (web,api),!old'.")
}
