/** `{a="1",b="2"}`, values escaped as Prometheus's text format says. */
export function labelText(labels: Record<string, string>): string {
  return `{${Object.entries(labels).map(labelPair).join(',')}}`
}

function labelPair([name, value]: [string, string]): string {
  return `${name}="${value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`
}

type MetricFamily = { comments: Map<string, string>; samples: string[] }

/**
 * Several expositions as one: the labels of each are added to its samples, and the samples of one metric stand together
 * under one TYPE line, as the format demands. Names that begin with `kaon_` are the platform's and are left out.
 */
export function mergeMetrics(parts: { text: string; labels: Record<string, string> }[]): string {
  const families = new Map<string, MetricFamily>()
  for (const { text, labels } of parts) {
    let family: string = ''
    for (const line of text.split('\n')) {
      const comment = /^# (HELP|TYPE) (\S+)/.exec(line)
      if (comment) family = comment[2]!
      const name: string | undefined = comment ? family : /^[a-zA-Z_:][\w:]*/.exec(line)?.[0]
      if (name === undefined || name.startsWith('kaon_')) continue
      const key: string = name === family || isPartOf(name, family) ? family : name
      const entry = families.get(key) ?? { comments: new Map<string, string>(), samples: [] }
      families.set(key, entry)
      if (comment) entry.comments.set(comment[1]!, line)
      else entry.samples.push(withLabels(line, name, labels))
    }
  }
  return [...families.values()].map(({ comments, samples }) => `${[...comments.values(), ...samples].join('\n')}\n`).join('')
}

/** Samples of a histogram or summary carry its name and an ending. */
function isPartOf(name: string, family: string): boolean {
  return family !== '' && ['_bucket', '_sum', '_count'].some((ending) => name === family + ending)
}

function withLabels(line: string, name: string, labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(labelPair).join(',')
  const rest = line.slice(name.length)
  return rest.startsWith('{') ? `${name}{${pairs}${rest[1] === '}' ? '' : ','}${rest.slice(1)}` : `${name}{${pairs}}${rest}`
}
