import type { Resource } from '../../model/metadata.ts'
import { matchesFields, parseFieldSelector } from './field-selector.ts'
import { parseLabelSelector } from './label-selector.ts'

/** Which objects a list, a watch or a deletion of many is about. */
export type Selection = {
  matches(object: Resource): boolean
  /** Whether an object that once matched always will: then only what never changes is asked about. */
  isLasting: boolean
}

/** The selection that `labelSelector`, `fieldSelector` and the name in the path make together. */
export function readSelection(query: URLSearchParams, name?: string): Selection {
  const labels = query.get('labelSelector') ?? ''
  const byLabels = parseLabelSelector(labels)
  const byFields = parseFieldSelector(query.get('fieldSelector') ?? '')
  if (name !== undefined) byFields.push({ path: 'metadata.name', wanted: name, equal: true })
  return {
    matches: (object) => byLabels(object.metadata.labels ?? {}) && matchesFields(byFields, object),
    isLasting: labels.trim() === '' && byFields.every(({ path }) => path.startsWith('metadata.')),
  }
}
