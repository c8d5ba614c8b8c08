import type { DatabaseSync } from 'node:sqlite'
import type { HistoryLimits } from './sqlite-messages.ts'

export type HistorySize = { events: number; bytes: number }

/** Lets the history outgrow a limit by this share before it is cut back, so that cutting is rare. */
const slack = 1.1
const ageCheckMs = 60_000

export function measureHistory(connection: DatabaseSync): HistorySize {
  return connection.prepare('SELECT count(*) AS events, coalesce(sum(bytes), 0) AS bytes FROM events').get() as HistorySize
}

/** Drops the oldest events where there are too many, too old or too large ones; undefined when there are not. Belongs in the transaction of a write. */
export function compactHistory(
  connection: DatabaseSync,
  size: HistorySize,
  limits: HistoryLimits,
  nowMs: number,
): { history: HistorySize; dropped: number } | undefined {
  const dropUpTo = Math.max(byCount(connection, size, limits), byBytes(connection, size, limits), byAge(connection, limits, nowMs))
  if (dropUpTo === 0) return undefined
  connection.prepare('DELETE FROM events WHERE version <= ?').run(dropUpTo)
  return { history: measureHistory(connection), dropped: dropUpTo }
}

function byCount(connection: DatabaseSync, size: HistorySize, limits: HistoryLimits): number {
  return size.events <= limits.maxEvents * slack ? 0 : versionAt(connection, limits.maxEvents)
}

function byBytes(connection: DatabaseSync, size: HistorySize, limits: HistoryLimits): number {
  if (size.bytes <= limits.maxBytes * slack) return 0
  let kept = 0
  let bytes = 0
  for (const row of connection.prepare('SELECT bytes FROM events ORDER BY version DESC').iterate() as Iterable<{ bytes: number }>) {
    bytes += row.bytes
    if (bytes > limits.maxBytes) break
    kept++
  }
  return versionAt(connection, kept)
}

/** Cuts only once the oldest event is a minute past its age, so that not every write has one to drop. */
function byAge(connection: DatabaseSync, limits: HistoryLimits, nowMs: number): number {
  const oldest = connection.prepare('SELECT at FROM events ORDER BY version LIMIT 1').get() as { at: number } | undefined
  if (oldest === undefined || oldest.at >= nowMs - limits.maxAgeMs - ageCheckMs) return 0
  const row = connection.prepare('SELECT coalesce(max(version), 0) AS version FROM events WHERE at < ?').get(nowMs - limits.maxAgeMs)
  return (row as { version: number }).version
}

/** The version of the newest event but `skip`; 0 when there are not so many. */
function versionAt(connection: DatabaseSync, skip: number): number {
  const row = connection.prepare('SELECT version FROM events ORDER BY version DESC LIMIT 1 OFFSET ?').get(skip)
  return (row as { version: number } | undefined)?.version ?? 0
}
