import type { LogRecord } from '../model/log-record.ts'
import { printable, type Style } from './terminal.ts'

const colours = { debug: 'dim', info: 'green', warn: 'yellow', error: 'red' } as const

/** One record as a person reads it: time, level, text, fields; who said it at the end. */
export function renderLogRecord(record: LogRecord, style: Style, options: { withRevision: boolean }): string {
  const { ts, level, msg, fields = {}, revision, requestId, stream } = record
  const time = style.dim(ts.slice(11, 23))
  const label = (style[colours[level] ?? 'dim'] as (text: string) => string)(level.toUpperCase().padEnd(5))
  const extra = Object.entries(fields).map(([name, value]) => ` ${style.dim(`${name}=`)}${shown(value)}`)
  const origin = [
    ...(stream === 'platform' ? ['platform'] : []),
    ...(options.withRevision ? [revision] : []),
    ...(requestId === undefined ? [] : [shortId(requestId)]),
  ]
  const text = printable(msg)
    .trimEnd()
    .replaceAll('\n', `\n${' '.repeat(19)}`)
  return `${time} ${label} ${text}${printable(extra.join(''))}${origin.length === 0 ? '' : style.dim(`  (${origin.join(' ')})`)}`
}

/** The end of it tells calls apart; the whole is in `-o json`. */
function shortId(id: string): string {
  return id.length <= 20 ? id : `…${id.slice(-12)}`
}

function shown(value: unknown): string {
  return typeof value === 'string' && /^[\w./:@+-]+$/.test(value) ? value : (JSON.stringify(value) ?? 'undefined')
}
