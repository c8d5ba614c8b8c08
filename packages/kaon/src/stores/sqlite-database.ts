import type { DatabaseSync } from 'node:sqlite'
import { compactHistory, measureHistory } from './sqlite-history.ts'
import type { EventRow, HistoryLimits, ObjectRow, WriteOutcome, WriteRequest } from './sqlite-messages.ts'
import { noSuchObject, objectChanged, objectExists } from './sqlite-refusals.ts'
import { openTables, settleLog } from './sqlite-tables.ts'
import type { ObjectKey } from './store.ts'

export type Committed = { outcomes: WriteOutcome[]; events: EventRow[] }

/** One open handle. It may be written once it is settled; after a throw from `write` it must be closed and not used again. */
export class SqliteDatabase {
  readonly connection: DatabaseSync
  readonly #limits: HistoryLimits
  readonly #statements
  #version: number
  #dropped: number
  #history: { events: number; bytes: number }

  constructor(file: string, maxBytes: number, limits: HistoryLimits) {
    this.#limits = limits
    this.connection = openTables(file, maxBytes)
    this.#statements = prepare(this.connection)
    const meta = this.connection.prepare('SELECT version, dropped FROM meta').get() as { version: number; dropped: number }
    this.#version = meta.version
    this.#dropped = meta.dropped
    this.#history = measureHistory(this.connection)
  }

  /** The last resourceVersion given out. */
  get version(): number {
    return this.#version
  }

  /** Events up to this version are no longer kept. */
  get dropped(): number {
    return this.#dropped
  }

  /** Makes what can be read safe on the disk. */
  settle(): void {
    settleLog(this.connection)
  }

  close(): void {
    if (this.connection.isOpen) this.connection.close()
  }

  /** All writes in one transaction with one fsync, each with an outcome of its own. Returns when they are on the disk. */
  write(writes: readonly WriteRequest[], nowMs: number): Committed {
    let version = this.#version
    const events: EventRow[] = []
    const outcomes: WriteOutcome[] = []
    const history = { ...this.#history }
    this.connection.exec('BEGIN IMMEDIATE')
    for (const write of writes) {
      const done = this.#apply(write, version + 1)
      outcomes.push('type' in done ? { id: write.id, row: done } : { id: write.id, refusal: done })
      if (!('type' in done)) continue
      version++
      events.push(done)
      const bytes = Buffer.byteLength(done.json)
      const { resource, namespace, name } = done.key
      this.#statements.insertEvent.run(version, done.type, resource, namespace, name, nowMs, bytes, done.json)
      history.events++
      history.bytes += bytes
    }
    const compacted = events.length === 0 ? undefined : compactHistory(this.connection, history, this.#limits, nowMs)
    if (events.length > 0) this.#statements.setMeta.run(version, compacted?.dropped ?? this.#dropped)
    this.connection.exec('COMMIT')
    this.#version = version
    this.#history = compacted?.history ?? history
    this.#dropped = compacted?.dropped ?? this.#dropped
    return { outcomes, events }
  }

  get(key: ObjectKey): ObjectRow | undefined {
    const row = this.#statements.get.get(key.resource, key.namespace, key.name) as TableRow | undefined
    return row === undefined ? undefined : objectRow(row)
  }

  #apply(write: WriteRequest, version: number) {
    const { resource, namespace, name } = write.key
    const before = this.get(write.key)
    if (write.kind === 'create') {
      if (before !== undefined) return objectExists(write.key)
      this.#statements.insert.run(resource, namespace, name, version, write.json)
      return { type: 'added' as const, key: write.key, version, json: write.json }
    }
    if (before === undefined) return noSuchObject(write.key)
    if (write.expected !== undefined && write.expected !== String(before.version))
      return objectChanged(write.key, write.expected, before.version)
    if (write.kind === 'delete') {
      this.#statements.delete.run(resource, namespace, name)
      return { type: 'deleted' as const, key: write.key, version, json: before.json }
    }
    this.#statements.update.run(version, write.json, resource, namespace, name)
    return { type: 'modified' as const, key: write.key, version, json: write.json }
  }
}

export type TableRow = { resource: string; namespace: string; name: string; version: number; json: string }

export function objectRow({ resource, namespace, name, version, json }: TableRow): ObjectRow {
  return { key: { resource, namespace, name }, version, json }
}

function prepare(connection: DatabaseSync) {
  const key = 'resource = ? AND namespace = ? AND name = ?'
  return {
    get: connection.prepare(`SELECT resource, namespace, name, version, json FROM objects WHERE ${key}`),
    insert: connection.prepare('INSERT INTO objects (resource, namespace, name, version, json) VALUES (?, ?, ?, ?, ?)'),
    update: connection.prepare(`UPDATE objects SET version = ?, json = ? WHERE ${key}`),
    delete: connection.prepare(`DELETE FROM objects WHERE ${key}`),
    insertEvent: connection.prepare(
      'INSERT INTO events (version, type, resource, namespace, name, at, bytes, json) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    setMeta: connection.prepare('UPDATE meta SET version = ?, dropped = ?'),
  }
}
