import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { KaonError } from '../base/errors.ts'

const tablesVersion = 1

// `events` is the history that watches replay. `meta` keeps the last resourceVersion given, which outlives the events,
// and the version up to which events were dropped.
const tables = `
  CREATE TABLE objects (
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, json TEXT NOT NULL,
    UNIQUE (resource, namespace, name)
  ) STRICT;
  CREATE TABLE events (
    version INTEGER PRIMARY KEY, type TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    at INTEGER NOT NULL, bytes INTEGER NOT NULL, json TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_of_resource ON events (resource, version);
  CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL, dropped INTEGER NOT NULL) STRICT;
  INSERT INTO meta VALUES (1, 0, 0);
  PRAGMA user_version = ${tablesVersion};
`

/** Opens the file, or makes it. Throws what SQLite throws, or `data_newer`. */
export function openTables(file: string, maxBytes: number): DatabaseSync {
  createFile(file)
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    // One process only, so that nobody else gives out versions; also spares the shared-memory file.
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    database.exec('PRAGMA journal_mode = WAL')
    database.exec('PRAGMA synchronous = FULL')
    // On macOS fsync alone leaves data in the drive's cache; no effect elsewhere.
    database.exec('PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
    database.exec(`PRAGMA journal_size_limit = ${64 * 1024 * 1024}`)
    const pageBytes = Number(Object.values(database.prepare('PRAGMA page_size').get()!)[0])
    database.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / pageBytes))}`)
    const version = Number(Object.values(database.prepare('PRAGMA user_version').get()!)[0])
    if (version > tablesVersion)
      throw new KaonError('data_newer', `The store '${file}' has the form ${version}; this version of Kaon knows up to ${tablesVersion}.`, {
        hint: 'Use the newer version of Kaon, or another data folder.',
      })
    if (version === 0) database.exec(`BEGIN IMMEDIATE; ${tables} COMMIT`)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/**
 * Makes sure that what can be read is on the disk; before this, nothing may be written.
 * After a failed fsync the kernel may hold pages of the log as clean that never reached the disk, and a later commit behind them would be lost
 * with them. Copying the log into the database writes them anew, and the log starts over. That takes no room where the log is empty, so a row
 * is written too: only then is it known that the disk takes more.
 */
export function settleLog(database: DatabaseSync): void {
  const { busy } = database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number }
  if (busy !== 0) throw new KaonError('store_unavailable', 'The log of the store cannot be copied into it now.')
  database.exec('UPDATE meta SET version = version')
}

/** Only its owner may read it: it holds secrets. SQLite gives the log the database's mode. */
function createFile(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    closeSync(openSync(file, 'a', 0o600))
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown'
    const full = code === 'ENOSPC' || code === 'EDQUOT'
    throw new KaonError(full ? 'data_full' : 'data_read_only', `The store '${file}' cannot be created (${code}).`, {
      cause,
      hint: full ? 'Free some space.' : 'Check that this user may write there.',
    })
  }
}
