import { printable, type Style } from '../terminal.ts'

/** Kubernetes's `Table`: what the server prints for a list. */
export type Table = {
  kind: 'Table'
  metadata?: { resourceVersion?: string }
  columnDefinitions: { name: string; type: string; format?: string; priority?: number; description?: string }[]
  rows: { cells: unknown[]; object: { metadata: { name: string; namespace?: string; resourceVersion?: string }; kind?: string } }[]
}

export const tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

export type TableOptions = { isWide: boolean; withNamespace: boolean; withHeader: boolean; widths?: number[] }

/** Lines of a table as kubectl prints it. `widths` are kept and grown, so that a watched table stays in line. */
export function renderTable(table: Table, options: TableOptions, style?: Style): string {
  const shown = table.columnDefinitions
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => options.isWide || !column.priority)
  const head = [...(options.withNamespace ? ['NAMESPACE'] : []), ...shown.map(({ column }) => column.name.toUpperCase())]
  const body = table.rows.map((row) => [
    ...(options.withNamespace ? [row.object.metadata.namespace ?? ''] : []),
    ...shown.map(({ index }) => cell(row.cells[index])),
  ])
  return renderRows(options.withHeader ? [head, ...body] : body, options.widths ?? [], options.withHeader ? style : undefined)
}

/** Rows in columns two spaces apart; the first is the head when a style is given. */
export function renderRows(rows: readonly (readonly string[])[], widths: number[] = [], style?: Style): string {
  for (const row of rows) for (const [index, text] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, width(text))
  const lines = rows.map((row, at) => {
    const line = row.map((text, index) => (index === row.length - 1 ? text : text + ' '.repeat(widths[index]! - width(text) + 3))).join('')
    return at === 0 && style !== undefined ? style.bold(line) : line
  })
  return lines.map((line) => `${line.trimEnd()}\n`).join('')
}

function cell(value: unknown): string {
  if (value === null || value === undefined || value === '') return '<none>'
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return printable(text).replaceAll('\n', ' ')
}

function width(text: string): number {
  return [...text].length
}
