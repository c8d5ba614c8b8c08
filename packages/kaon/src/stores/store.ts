import type { Resource, Stored } from '../model/metadata.ts'

/** Which object: `plural` names the kind (with its group, as in `functions.kaon.dev`; core kinds bare), `namespace` is empty for cluster-wide kinds. */
export type ObjectKey = { resource: string; namespace: string; name: string }

export type ListQuery = {
  resource: string
  /** Only this namespace; all when left out. */
  namespace?: string
  /** At most this many; the rest by `continueFrom`. */
  limit?: number
  /** Token of the page before: the list stays as it was at that page's resourceVersion. Throws `expired` when that is no longer kept. */
  continueFrom?: string
}

export type ListResult = { items: Stored[]; resourceVersion: string; continueFrom?: string }

/** One object, written whole. `expected` is the resourceVersion that must stand there now (compare-and-set). */
export type Write =
  | { kind: 'create'; key: ObjectKey; object: Resource }
  | { kind: 'update'; key: ObjectKey; object: Resource; expected: string }
  | { kind: 'delete'; key: ObjectKey; expected?: string }

export type WatchEvent =
  | { type: 'added' | 'modified' | 'deleted'; key: ObjectKey; object: Stored; resourceVersion: string }
  /** Nothing of yours happened, and this is how far you have seen. */
  | { type: 'bookmark'; resourceVersion: string }

export type WatchQuery = {
  resource: string
  namespace?: string /** Events after this version. Throws `expired` when they are no longer kept. */
  after: string
  signal: AbortSignal
}

/**
 * State and watch, promising only what the Kubernetes API server could: one object a write, opaque resourceVersion, compare-and-set.
 * No joins, no transactions over objects, no sequences; a watch may lag behind a write and may break at any time (then list again).
 * An answered write is on the disk. `metadata.resourceVersion` is the store's to set; everything else in the object is the caller's.
 */
export interface Store extends AsyncDisposable {
  get(key: ObjectKey): Promise<Stored | undefined>
  list(query: ListQuery): Promise<ListResult>
  /** The object as it now stands (for a delete: as it last stood, with the resourceVersion of its deletion). Throws `already_exists`, `not_found` or `conflict`, or `store_unavailable` when it could not be made durable. */
  write(write: Write): Promise<Stored>
  watch(query: WatchQuery): AsyncIterable<WatchEvent>
}
