import { KaonError } from '../base/errors.ts'
import { objectRow, type SqliteDatabase, type TableRow } from './sqlite-database.ts'
import { errorOf } from './sqlite-errors.ts'
import type { EventRow, HistoryAnswer, ListAnswer, ReadRequest } from './sqlite-messages.ts'
import { versionExpired } from './sqlite-refusals.ts'

/** A page of the history ends once its JSON is this long: it waits in memory for a reader who may be slow. */
const maxPageSize = 4 * 1024 * 1024

type Query<K extends ReadRequest['kind']> = Extract<ReadRequest, { kind: K }>
type EventTableRow = TableRow & Pick<EventRow, 'type'>
type PageToken = { version: number; namespace: string; name: string }

/** Answers a read from what is committed. Throws `expired` and `invalid_request`. */
export function readDatabase(database: SqliteDatabase, read: ReadRequest): unknown {
  switch (read.kind) {
    case 'get':
      return database.get(read.key)
    case 'list':
      return list(database, read)
    case 'history':
      return history(database, read)
    default:
      return read satisfies never
  }
}

function list(database: SqliteDatabase, query: Query<'list'>): ListAnswer {
  const page = query.continueFrom === undefined ? undefined : parseToken(query.continueFrom)
  const version = page?.version ?? database.version
  if (page !== undefined && !isUnchanged(database, query, page)) throw errorOf(versionExpired(page.version))
  const limit = query.limit === undefined || query.limit < 1 ? -1 : query.limit
  const inNamespace = query.namespace === undefined ? '' : 'AND namespace = ?'
  const rows = database.connection
    .prepare(
      `SELECT resource, namespace, name, version, json FROM objects WHERE resource = ? ${inNamespace}
       AND (namespace, name) > (?, ?) ORDER BY namespace, name LIMIT ?`,
    )
    .all(...named(query), page?.namespace ?? '', page?.name ?? '', limit === -1 ? -1 : limit + 1) as TableRow[]
  if (limit === -1 || rows.length <= limit) return { rows: rows.map(objectRow), version }
  const kept = rows.slice(0, limit)
  const last = kept[limit - 1]!
  return { rows: kept.map(objectRow), version, continueFrom: formatToken({ version, namespace: last.namespace, name: last.name }) }
}

/** The rest of a list is as it was at the first page while nothing beyond that page was touched since; otherwise the page is `expired`. */
function isUnchanged(database: SqliteDatabase, query: Query<'list'>, page: PageToken): boolean {
  if (page.version < database.dropped || page.version > database.version) return false
  const inNamespace = query.namespace === undefined ? '' : 'AND namespace = ?'
  const change = database.connection
    .prepare(`SELECT 1 FROM events WHERE resource = ? ${inNamespace} AND version > ? AND (namespace, name) > (?, ?) LIMIT 1`)
    .get(...named(query), page.version, page.namespace, page.name)
  return change === undefined
}

function history(database: SqliteDatabase, query: Query<'history'>): HistoryAnswer {
  const after = parseVersion(query.after)
  if (after < database.dropped || after > database.version) throw errorOf(versionExpired(query.after))
  const inNamespace = query.namespace === undefined ? '' : 'AND namespace = ?'
  const rows = database.connection
    .prepare(
      `SELECT type, resource, namespace, name, version, json FROM events WHERE resource = ? ${inNamespace} AND version > ? ORDER BY version LIMIT ?`,
    )
    .iterate(...named(query), after, query.limit) as Iterable<EventTableRow>
  const page: EventTableRow[] = []
  let size = 0
  for (const row of rows) {
    page.push(row)
    size += row.json.length
    if (size >= maxPageSize) break
  }
  const complete = page.length < query.limit && size < maxPageSize
  return {
    events: page.map(eventRow),
    version: complete ? database.version : page.at(-1)!.version,
    complete,
  }
}

function eventRow(row: EventTableRow): EventRow {
  return { ...objectRow(row), type: row.type }
}

/** Everything that happened after a version, of all resources. */
export function eventsAfter(database: SqliteDatabase, version: number): EventRow[] {
  const rows = database.connection
    .prepare('SELECT type, resource, namespace, name, version, json FROM events WHERE version > ? ORDER BY version')
    .all(version) as EventTableRow[]
  return rows.map(eventRow)
}

function named({ resource, namespace }: { resource: string; namespace?: string }): string[] {
  return namespace === undefined ? [resource] : [resource, namespace]
}

function parseVersion(text: string): number {
  const version = /^\d{1,15}$/.test(text) ? Number(text) : undefined
  if (version === undefined) throw new KaonError('invalid_request', `The resourceVersion '${text.slice(0, 40)}' is none of this server's.`)
  return version
}

function formatToken({ version, namespace, name }: PageToken): string {
  return Buffer.from(JSON.stringify([version, namespace, name])).toString('base64url')
}

function parseToken(token: string): PageToken {
  try {
    const [version, namespace, name] = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as unknown[]
    if (Number.isSafeInteger(version) && typeof namespace === 'string' && typeof name === 'string')
      return { version: version as number, namespace, name }
  } catch {
    // Not JSON: the answer below says so.
  }
  throw new KaonError('invalid_request', 'The continue token is none of this server.', { hint: 'List again without it.' })
}
