import type { LogRecord } from '../model/log-record.ts'
import { printable, type Style } from './terminal.ts'

const colours = { debug: 'dim', info: 'green', warn: 'yellow', error: 'red' } as const
/** Lines after the first stand below the text of the first. */
const indent = ' '.repeat(19)
/** Causes below this are left to `-o json`. */
const maxCauses = 5

/** One record as a person reads it: time, level, text, fields; who said it at the end; stacks of errors below. */
export function renderLogRecord(record: LogRecord, style: Style, options: { withRevision: boolean }): string {
  const { ts, level, msg, fields = {}, revision, requestId, stream } = record
  const time = style.dim(printable(ts.slice(11, 23)))
  const label = (style[colours[level] ?? 'dim'] as (text: string) => string)(printable(level.toUpperCase()).padEnd(5))
  const { inline, below } = splitFields(fields, msg)
  const extra = inline.map(([name, value]) => ` ${style.dim(printable(`${name}=`))}${printable(value)}`)
  const origin = [
    ...(stream === 'platform' ? ['platform'] : []),
    ...(options.withRevision ? [revision] : []),
    ...(requestId === undefined ? [] : [shortId(requestId)]),
  ]
  const who = origin.length === 0 ? '' : style.dim(printable(`  (${origin.join(' ')})`))
  const first = `${time} ${label} ${indented(printable(msg).trimEnd())}${extra.join('')}${who}`
  return [first, ...below.map((text) => style.dim(`${indent}${indented(printable(text))}`))].join('\n')
}

/** The end of it tells calls apart; the whole is in `-o json`. */
function shortId(id: string): string {
  return id.length <= 20 ? id : `…${id.slice(-12)}`
}

function indented(text: string): string {
  return text.replaceAll('\n', `\n${indent}`)
}

type ErrorFields = { name?: unknown; message?: unknown; stack: string; cause?: unknown }

/** Fields for the line itself, and what goes below it: the stack of an error that was thrown or logged, and those of its causes. */
function splitFields(fields: Record<string, unknown>, msg: string): { inline: [string, string][]; below: string[] } {
  const inline: [string, string][] = []
  const below = isError(fields) ? stackLines(fields, msg) : []
  for (const [name, value] of Object.entries(isError(fields) ? withoutError(fields, msg) : fields)) {
    if (!isError(value)) inline.push([name, shown(value)])
    else below.push(...stackLines(value, msg).map((text, index) => (index === 0 && /^\S/.test(text) ? `${name}: ${text}` : text)))
  }
  return { inline, below }
}

/** What fields that are an error hold besides what its stack and the record's text say. */
function withoutError({ stack: _stack, cause: _cause, ...rest }: ErrorFields, msg: string): Record<string, unknown> {
  const isSaid = ([name, value]: [string, unknown]) => (name === 'name' || name === 'message') && msg.includes(String(value))
  return Object.fromEntries(Object.entries(rest).filter((entry) => !isSaid(entry)))
}

function isError(value: unknown): value is ErrorFields {
  return typeof value === 'object' && value !== null && typeof (value as { stack?: unknown }).stack === 'string'
}

function stackLines(error: ErrorFields, msg: string): string[] {
  const parts = [withoutMessage(error.stack, msg)]
  let cause = error.cause
  for (let depth = 0; cause !== undefined && depth < maxCauses; depth++) {
    parts.push(`Caused by: ${isError(cause) ? cause.stack : shown(cause)}`)
    cause = isError(cause) ? cause.cause : undefined
  }
  return parts.filter((part) => part !== '')
}

/** A stack begins with the error's name and message: they are said once, in the record's own text. */
function withoutMessage(stack: string, msg: string): string {
  const frames = stack.search(/^\s+at /m)
  const head = (frames === -1 ? stack : stack.slice(0, frames)).trim()
  return msg.includes(head) ? stack.slice(frames === -1 ? stack.length : frames).replace(/\s+$/, '') : stack.trimEnd()
}

function shown(value: unknown): string {
  return typeof value === 'string' && /^[\w./:@+-]+$/.test(value) ? value : (JSON.stringify(value) ?? 'undefined')
}
