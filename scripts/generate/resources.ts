import { kinds } from '../../packages/kaon/src/model/kinds.ts'

type Node = {
  type?: string
  description?: string
  default?: unknown
  enum?: unknown[]
  const?: unknown
  properties?: Record<string, Node>
  required?: string[]
  items?: Node
  anyOf?: Node[]
  patternProperties?: Record<string, Node>
  format?: string
  minimum?: number
  maximum?: number
  revision?: boolean
  notAvailable?: string
}

const code = (value: unknown) => `\`${JSON.stringify(value)}\``

function typeOf(node: Node): string {
  if (node.enum) return node.enum.map((value) => `\`${value}\``).join(' \\| ')
  if (node.const !== undefined) return code(node.const)
  if (node.type === 'array') return `list of ${typeOf(node.items ?? {})}`
  if (node.patternProperties) return 'map'
  if (node.anyOf) return node.anyOf.map(typeOf).join(' \\| ')
  const bounds = [node.minimum === undefined ? '' : `≥ ${node.minimum}`, node.maximum === undefined ? '' : `≤ ${node.maximum}`]
    .filter(Boolean)
    .join(', ')
  return `${node.format ?? node.type ?? 'anything'}${bounds ? ` (${bounds})` : ''}`
}

function rows(path: string, node: Node, revision: boolean): string[] {
  const own: string[] = []
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const here = `${path}${path ? '.' : ''}${name}`
    const isRevision = revision || child.revision === true
    const notes = child.notAvailable ? `*not available: ${child.notAvailable}.* ` : ''
    const fallback = child.default === undefined || typeof child.default === 'object' ? '' : ` Default ${code(child.default)}.`
    const required = node.required?.includes(name) && child.default === undefined ? ' Required.' : ''
    own.push(
      `| \`${here}\` | ${child.notAvailable ? '' : typeOf(child)} | ${notes}${child.description ?? ''}${fallback}${required} | ${isRevision ? '●' : ''} |`,
    )
    own.push(...rows(here, child, isRevision))
    if (child.items?.properties) own.push(...rows(`${here}[]`, child.items, isRevision))
  }
  return own
}

/** The reference of every kind's spec, from the schemas. */
export function resourceReference(): string {
  const sections = kinds.map((kind) => {
    const schema = kind.schema as unknown as Node
    const shown: Node = {
      ...schema,
      properties: Object.fromEntries(
        Object.entries(schema.properties ?? {}).filter(([name]) => !['apiVersion', 'kind', 'metadata', 'status'].includes(name)),
      ),
    }
    const title = `## ${kind.kind}\n\n${schema.description ?? ''} \`${kind.group === '' ? 'v1' : `${kind.group}/v1`}\`, \`${kind.plural}\`${kind.shortNames.length > 0 ? `, short \`${kind.shortNames.join('`, `')}\`` : ''}.`
    const fields = rows('', shown, false)
    return fields.length === 0 ? title : `${title}\n\n| field | type | | new revision |\n|---|---|---|---|\n${fields.join('\n')}`
  })
  return `# Resources\n\nMade from the schemas in \`packages/kaon/src/model/\` by \`npm run generate\`. A dot in the last column: a change makes a new revision.\n\n${sections.join('\n\n')}\n`
}
