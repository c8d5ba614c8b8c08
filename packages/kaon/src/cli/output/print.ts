import type { OutputFormat } from '../settings.ts'
import { renderJsonPath } from './json-path.ts'

/** A value in one of the formats that show data; `table` and `wide` are the caller's. */
export async function formatData(format: OutputFormat, value: unknown): Promise<string> {
  switch (format.kind) {
    case 'json':
      return `${JSON.stringify(value, null, 2)}\n`
    case 'yaml':
      return toYaml(value)
    case 'jsonpath':
      return renderJsonPath(format.template, value)
    case 'name':
      return itemsOf(value)
        .map((item) => `${nameOf(item)}\n`)
        .join('')
    case 'table':
    case 'wide':
      return `${JSON.stringify(value, null, 2)}\n`
    default:
      return format satisfies never
  }
}

export async function toYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml')
  return stringify(value, { lineWidth: 0 })
}

type Named = { apiVersion?: string; kind?: string; metadata?: { name?: string } }

function itemsOf(value: unknown): Named[] {
  const list = value as { items?: Named[] }
  return Array.isArray(list.items) ? list.items : [value as Named]
}

/** `function.kaon.dev/hello`, as kubectl writes it. */
export function nameOf(item: Named): string {
  const group = item.apiVersion?.includes('/') ? `.${item.apiVersion.split('/')[0]}` : ''
  return `${(item.kind ?? '').toLowerCase()}${group}/${item.metadata?.name ?? ''}`
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  const units = ['kB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length, Math.floor(Math.log10(bytes) / 3))
  return `${(bytes / 1000 ** power).toFixed(1)} ${units[power - 1]}`
}
