// What the store and its thread say to each other. Objects cross as JSON text: cheap to copy, and parsed only by who wants them.
import type { ErrorCode } from '../base/errors.ts'
import type { ObjectKey } from './store.ts'

export type HistoryLimits = { maxEvents: number; maxAgeMs: number; maxBytes: number }
export type SqliteSettings = { file: string; maxBytes: number; history: HistoryLimits }

/** An object at one version, without `metadata.resourceVersion`: that is `version`. */
export type ObjectRow = { key: ObjectKey; version: number; json: string }
export type EventRow = ObjectRow & { type: 'added' | 'modified' | 'deleted' }

export type WriteRequest = { id: number; key: ObjectKey } & (
  | { kind: 'create'; json: string }
  | { kind: 'update'; json: string; expected: string }
  | { kind: 'delete'; expected?: string }
)

export type ReadRequest =
  | { kind: 'get'; key: ObjectKey }
  | { kind: 'list'; resource: string; namespace?: string; limit?: number; continueFrom?: string }
  | { kind: 'history'; resource: string; namespace?: string; after: string; limit: number }

export type GetAnswer = ObjectRow | undefined
export type ListAnswer = { rows: ObjectRow[]; version: number; continueFrom?: string }
/** `version` is how far the page reaches; `complete` when nothing of later is there yet. */
export type HistoryAnswer = { events: EventRow[]; version: number; complete: boolean }

/** A `KaonError` as it crosses: classes do not survive the copy. */
export type Refusal = { code: ErrorCode; message: string; hint?: string }

export type WriteOutcome = { id: number } & ({ row: ObjectRow } | { refusal: Refusal })

export type ToThread =
  | { kind: 'writes'; now: number; writes: WriteRequest[] }
  | { kind: 'read'; id: number; read: ReadRequest }
  | { kind: 'close' }

export type FromThread =
  | { kind: 'opened'; version: number }
  | { kind: 'failed'; refusal: Refusal }
  /** Why nothing can be written from here on, or that it can again. */
  | { kind: 'writable'; refusal: Refusal | undefined }
  /** In the order of versions, before any answer that knows of them. */
  | { kind: 'committed'; events: EventRow[]; outcomes: WriteOutcome[] }
  | { kind: 'answer'; id: number; answer: unknown }
  | { kind: 'refused'; id: number; refusal: Refusal }
