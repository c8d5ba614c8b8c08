import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderTable, type Table } from './table.ts'

const table: Table = {
  kind: 'Table',
  columnDefinitions: [
    { name: 'Name', type: 'string' },
    { name: 'Runtime', type: 'string', priority: 1 },
    { name: 'Age', type: 'date', priority: 0 },
  ],
  rows: [
    { cells: ['hello', 'node', '5s'], object: { metadata: { name: 'hello', namespace: 'default' } } },
    { cells: ['a-longer-name', null, '2d'], object: { metadata: { name: 'a-longer-name', namespace: 'shop' } } },
  ],
}
const plain = { isWide: false, withNamespace: false, withHeader: true }

test('columns are as wide as their widest cell', () => {
  assert.equal(renderTable(table, plain), 'NAME            AGE\nhello           5s\na-longer-name   2d\n')
})

test('wide shows what is left out otherwise, and an empty cell as <none>', () => {
  const text = renderTable(table, { ...plain, isWide: true, withNamespace: true })
  assert.match(text, /^NAMESPACE +NAME +RUNTIME +AGE$/m)
  assert.match(text, /^shop +a-longer-name +<none> +2d$/m)
})

test('control characters of others are shown, not obeyed', () => {
  const row = { cells: ['\x1b[2Jx\ny', '', ''], object: { metadata: { name: 'x' } } }
  assert.match(renderTable({ ...table, rows: [row] }, plain), /^\\x1b\[2Jx y/m)
})

test('rows that come later keep to the widths of those before', () => {
  const widths: number[] = []
  renderTable(table, { ...plain, widths })
  const later = renderTable({ ...table, rows: [table.rows[0]!] }, { ...plain, withHeader: false, widths })
  assert.equal(later, 'hello           5s\n')
})
