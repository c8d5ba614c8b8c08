import type { Metrics } from '@kaon/sdk'

const maxSeries = 100
const namePattern = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const labelPattern = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const bounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60]

type Kind = 'counter' | 'gauge' | 'histogram'
type Series = { labels: string; value: number; buckets: number[] | undefined; count: number }
type Family = { kind: Kind; series: Map<string, Series> }

/** What a handler counts by `context.metrics`: at most 100 series a worker; more are refused with one word in the log. */
export class CustomMetrics implements Metrics {
  readonly #families = new Map<string, Family>()
  readonly #fixedLabels: string
  readonly #warn: (message: string) => void
  #seriesCount = 0
  readonly #warned = new Set<string>()

  /** `fixedLabels` are put on every series. */
  constructor(fixedLabels: Record<string, string>, warn: (message: string) => void) {
    this.#fixedLabels = labelText(fixedLabels)
    this.#warn = warn
  }

  counter(name: string, by = 1, labels?: Record<string, string>): void {
    if (!(by >= 0)) this.#refuse(name, `The counter '${name}' cannot grow by ${by}.`)
    const series = by >= 0 ? this.#find('counter', name, labels) : undefined
    if (series !== undefined) series.value += by
  }

  gauge(name: string, value: number, labels?: Record<string, string>): void {
    const series = this.#find('gauge', name, labels)
    if (series !== undefined) series.value = Number(value)
  }

  histogram(name: string, value: number, labels?: Record<string, string>): void {
    if (typeof value !== 'number' || Number.isNaN(value)) {
      this.#refuse(name, `The histogram '${name}' takes numbers.`)
      return
    }
    const series = this.#find('histogram', name, labels)
    if (series?.buckets === undefined) return
    series.value += value
    series.count++
    const at = bounds.findIndex((bound) => value <= bound)
    if (at !== -1) series.buckets[at] = (series.buckets[at] as number) + 1
  }

  /** All series in Prometheus's text format; empty when there are none. */
  text(): string {
    const lines: string[] = []
    for (const [name, family] of this.#families) {
      lines.push(`# TYPE ${name} ${family.kind}`)
      for (const series of family.series.values()) lines.push(...seriesLines(name, series))
    }
    return lines.length === 0 ? '' : `${lines.join('\n')}\n`
  }

  #find(kind: Kind, name: string, labels: Record<string, string> | undefined): Series | undefined {
    let family = this.#families.get(name)
    if (family !== undefined && family.kind !== kind) {
      this.#refuse(name, `The metric '${name}' is a ${family.kind} already and cannot be a ${kind} too.`)
      return undefined
    }
    const key = labels === undefined ? '' : labelText(labels)
    const found = family?.series.get(key)
    if (found !== undefined) return found
    if (this.#seriesCount >= maxSeries) {
      this.#refuse('', `More than ${maxSeries} series of custom metrics: new ones are not kept. Use labels with few values.`)
      return undefined
    }
    if (!namePattern.test(name) || Object.keys(labels ?? {}).some((label) => !labelPattern.test(label))) {
      this.#refuse(name, `The metric '${name.slice(0, 80)}' or one of its labels has a name that Prometheus does not take.`)
      return undefined
    }
    family ??= { kind, series: new Map() }
    this.#families.set(name, family)
    const all = [this.#fixedLabels, key].filter((each) => each !== '').join(',')
    const series = { labels: all, value: 0, buckets: kind === 'histogram' ? bounds.map(() => 0) : undefined, count: 0 }
    family.series.set(key, series)
    this.#seriesCount++
    return series
  }

  #refuse(about: string, message: string): void {
    if (this.#warned.has(about) || this.#warned.size >= maxSeries) return
    this.#warned.add(about)
    this.#warn(message)
  }
}

function seriesLines(name: string, series: Series): string[] {
  const braces = (extra?: string) => {
    const labels = [series.labels, extra ?? ''].filter((each) => each !== '').join(',')
    return labels === '' ? '' : `{${labels}}`
  }
  if (series.buckets === undefined) return [`${name}${braces()} ${series.value}`]
  let sum = 0
  const buckets = series.buckets.map((count, i) => {
    sum += count
    return `${name}_bucket${braces(`le="${bounds[i]}"`)} ${sum}`
  })
  return [
    ...buckets,
    `${name}_bucket${braces('le="+Inf"')} ${series.count}`,
    `${name}_sum${braces()} ${series.value}`,
    `${name}_count${braces()} ${series.count}`,
  ]
}

function labelText(labels: Record<string, string>): string {
  return Object.keys(labels)
    .sort()
    .map((name) => `${name}="${String(labels[name]).slice(0, 200).replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`)
    .join(',')
}
