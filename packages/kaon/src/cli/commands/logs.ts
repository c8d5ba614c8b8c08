import { KaonError } from '../../base/errors.ts'
import { parseDuration } from '../../base/units.ts'
import type { LogRecord } from '../../model/log-record.ts'
import { defineCommand } from '../command.ts'
import { followLogs } from '../follow-logs.ts'
import { renderLogRecord } from '../log-lines.ts'
import { functions, pathOf } from '../resource-api.ts'

export const logs = defineCommand({
  name: 'logs',
  description:
    'Shows what a function logged and printed. With -f it goes on, across restarts of the platform too, until Ctrl-C, which is its normal end: the exit code is 0.',
  arguments: { name: { description: 'The function.', complete: 'functions' } },
  options: {
    follow: { type: 'boolean', short: 'f', description: 'Go on with what comes.' },
    since: { type: 'string', value: 'TIME', description: 'From then on: a duration such as 10m, or an RFC 3339 time.' },
    level: { type: 'string', choices: ['debug', 'info', 'warn', 'error'], description: 'Only this level and above.' },
    tail: { type: 'integer', value: 'N', range: [0, 100_000], default: 200, description: 'At most the last N lines of the past.' },
    revision: { type: 'string', value: 'NAME', description: 'Only this revision.' },
  },
  examples: [
    { does: 'follow', line: 'kaon logs hello -f' },
    { does: 'the errors of the last hour, as JSON lines', line: 'kaon logs hello --since 1h --level error -o json' },
  ],
  async run({ args, options, api, settings, system, terminal, signal }) {
    if (
      options.since !== undefined &&
      parseDuration(options.since) === undefined &&
      !/^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(options.since)
    )
      throw new KaonError('usage', `Give '--since' a duration such as 10m or a time such as 2026-01-31T12:00:00Z, not '${options.since}'.`)
    const path = `${pathOf(functions, settings.namespace, args.name)}/logs`
    const query: Record<string, string> = { tail: String(options.tail) }
    for (const name of ['since', 'level', 'revision'] as const) if (options[name] !== undefined) query[name] = options[name]
    const print = (record: LogRecord) => {
      const line =
        settings.output?.kind === 'json'
          ? JSON.stringify(record)
          : renderLogRecord(record, terminal.outStyle, { withRevision: options.revision === undefined })
      terminal.out(`${line}\n`)
    }
    if (options.follow) {
      const onBreak = () => terminal.error(terminal.style.dim('The connection broke; going on as soon as the platform is back.'))
      for await (const record of followLogs({ api, ...system, onBreak }, path, query, signal)) print(record)
      return 0
    }
    for await (const line of api.lines(`${path}?${new URLSearchParams(query)}`, signal)) print(JSON.parse(line) as LogRecord)
    return 0
  },
})
