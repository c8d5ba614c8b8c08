// Prometheus metrics on typed arrays: a series is a number, found once and kept by whoever counts, so that counting allocates nothing.

const firstCapacity = 64

export type FamilyOptions = {
  name: string
  help: string
  labels: readonly string[]
  /** Sets of label values beyond so many share one series whose labels all say `other`. */
  maxSeries?: number
}

/** A growing row of numbers for each series. */
class SeriesTable {
  readonly options: FamilyOptions
  readonly width: number
  values: Float64Array
  /** Label values of each series; undefined where one was removed. */
  readonly labels: (string | undefined)[] = []
  readonly #byLabels = new Map<string, number>()
  readonly #free: number[] = []

  constructor(options: FamilyOptions, width: number) {
    this.options = options
    this.width = width
    this.values = new Float64Array(firstCapacity * width)
  }

  /** The series of these label values, made when there is none. */
  series(values: readonly string[]): number {
    const key = this.#render(values)
    const found = this.#byLabels.get(key)
    if (found !== undefined) return found
    if (this.#byLabels.size >= (this.options.maxSeries ?? 10_000)) {
      const other = values.map(() => 'other')
      const rest = this.#byLabels.get(this.#render(other))
      return rest ?? this.#make(this.#render(other))
    }
    return this.#make(key)
  }

  remove(series: number): void {
    const key = this.labels[series]
    if (key === undefined) return
    this.#byLabels.delete(key)
    this.labels[series] = undefined
    this.values.fill(0, series * this.width, (series + 1) * this.width)
    this.#free.push(series)
  }

  #make(key: string): number {
    const series = this.#free.pop() ?? this.labels.length
    this.labels[series] = key
    this.#byLabels.set(key, series)
    if ((series + 1) * this.width > this.values.length) {
      const larger = new Float64Array(this.values.length * 2)
      larger.set(this.values)
      this.values = larger
    }
    return series
  }

  #render(values: readonly string[]): string {
    return this.options.labels.map((label, i) => `${label}="${escapeLabel(values[i] ?? '')}"`).join(',')
  }
}

/** A counter or a gauge. */
export class NumberFamily {
  readonly #table: SeriesTable

  constructor(options: FamilyOptions) {
    this.#table = new SeriesTable(options, 1)
  }

  series(...labels: string[]): number {
    return this.#table.series(labels)
  }

  add(series: number, by: number): void {
    this.#table.values[series] = (this.#table.values[series] as number) + by
  }

  set(series: number, to: number): void {
    this.#table.values[series] = to
  }

  get(series: number): number {
    return this.#table.values[series] as number
  }

  /** Its number may be given to another series afterwards. */
  remove(series: number): void {
    this.#table.remove(series)
  }

  render(): string {
    const { options, labels, values } = this.#table
    return labels.map((text, i) => (text === undefined ? '' : `${options.name}${braces(text)} ${values[i]}\n`)).join('')
  }
}

export class HistogramFamily {
  readonly #table: SeriesTable
  readonly #bounds: readonly number[]

  /** `bounds`: upper bounds of the buckets, rising; +Inf is added. */
  constructor(options: FamilyOptions, bounds: readonly number[]) {
    this.#table = new SeriesTable(options, bounds.length + 2)
    this.#bounds = bounds
  }

  series(...labels: string[]): number {
    return this.#table.series(labels)
  }

  observe(series: number, value: number): void {
    const { values, width } = this.#table
    const at = series * width
    let bucket = 0
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] as number)) bucket++
    values[at + bucket] = (values[at + bucket] as number) + 1
    const sum = at + width - 1
    values[sum] = (values[sum] as number) + value
  }

  remove(series: number): void {
    this.#table.remove(series)
  }

  render(): string {
    return this.#table.labels.map((text, i) => (text === undefined ? '' : this.#renderSeries(text, i))).join('')
  }

  #renderSeries(text: string, series: number): string {
    const { options, values, width } = this.#table
    const at = series * width
    const comma = text === '' ? '' : ','
    let count = 0
    let lines = ''
    for (let bucket = 0; bucket <= this.#bounds.length; bucket++) {
      count += values[at + bucket] as number
      lines += `${options.name}_bucket{${text}${comma}le="${this.#bounds[bucket] ?? '+Inf'}"} ${count}\n`
    }
    return `${lines}${options.name}_sum${braces(text)} ${values[at + width - 1]}\n${options.name}_count${braces(text)} ${count}\n`
  }
}

/** The families of one process, and their text. */
export class MetricsRegistry {
  readonly #families: { options: FamilyOptions; type: 'counter' | 'gauge' | 'histogram'; render(): string }[] = []

  counter(options: FamilyOptions): NumberFamily {
    return this.#add('counter', options, new NumberFamily(options))
  }

  gauge(options: FamilyOptions): NumberFamily {
    return this.#add('gauge', options, new NumberFamily(options))
  }

  histogram(options: FamilyOptions, bounds: readonly number[]): HistogramFamily {
    return this.#add('histogram', options, new HistogramFamily(options, bounds))
  }

  /** Prometheus's text format 0.0.4. */
  render(): string {
    return this.#families
      .map(({ options, type, render }) => `# HELP ${options.name} ${options.help}\n# TYPE ${options.name} ${type}\n${render()}`)
      .join('')
  }

  #add<F extends { render(): string }>(type: 'counter' | 'gauge' | 'histogram', options: FamilyOptions, family: F): F {
    this.#families.push({ options, type, render: () => family.render() })
    return family
  }
}

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))
}

function braces(text: string): string {
  return text === '' ? '' : `{${text}}`
}
