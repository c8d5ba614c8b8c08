import { parseTime } from '../../base/time.ts'
import type { Column, Kind } from '../../model/kinds.ts'
import type { Stored } from '../../model/metadata.ts'
import { parseColumnPath, readColumn } from './column-path.ts'
import { humanDuration } from './human-duration.ts'

export type TableOptions = {
  nowMs: number
  /** How much of each object goes with its row. */
  include: 'None' | 'Metadata' | 'Object'
  metadata: Record<string, unknown>
  /** Left out in a watch after its first event. */
  columns?: boolean
}

/** A `meta.k8s.io/v1` Table of the objects: what kubectl prints, column by column. */
export function tableOf(kind: Kind, objects: readonly Stored[], options: TableOptions): Record<string, unknown> {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: options.metadata,
    columnDefinitions: options.columns === false ? null : columnDefinitions(kind),
    rows: objects.map((object) => ({
      cells: [object.metadata.name, ...kind.columns.map((column) => cell(column, object, options.nowMs))],
      ...(options.include === 'None' ? {} : { object: options.include === 'Object' ? object : metadataOnly(object) }),
    })),
  }
}

function metadataOnly(object: Stored): Record<string, unknown> {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata }
}

function columnDefinitions(kind: Kind): Record<string, unknown>[] {
  const name = { name: 'Name', type: 'string', format: 'name', description: 'Unique within its kind and namespace.', priority: 0 }
  const others = kind.columns.map((column) => ({
    name: column.name,
    type: column.type,
    format: '',
    description: column.description,
    priority: column.wide === true ? 1 : 0,
  }))
  return [name, ...others]
}

/** A cell's value; null, which is printed empty, when there is none. */
function cell(column: Column, object: Stored, nowMs: number): string | number | null {
  const value = column.path === 'age' ? object.metadata.creationTimestamp : readColumn(parseColumnPath(column.path), object)
  if (value === undefined || value === null) return null
  if (column.type === 'date') {
    const at = parseTime(String(value))
    return Number.isNaN(at) ? '<unknown>' : humanDuration(nowMs - at)
  }
  if (column.type === 'integer') return typeof value === 'number' ? value : null
  return Array.isArray(value) ? value.map(String).join(',') : typeof value === 'object' ? JSON.stringify(value) : String(value)
}
