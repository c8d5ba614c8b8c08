import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MetricsRegistry } from './metrics.ts'

test('counters and histograms come out as Prometheus reads them', () => {
  const registry = new MetricsRegistry()
  const requests = registry.counter({ name: 'requests_total', help: 'Requests.', labels: ['fn', 'code'] })
  const ok = requests.series('a"\\\n', '2xx')
  requests.add(ok, 2)
  requests.add(requests.series('a"\\\n', '2xx'), 1)
  const seconds = registry.histogram({ name: 'seconds', help: 'Time.', labels: [] }, [0.1, 1])
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(seconds.series(), value)
  assert.equal(
    registry.render(),
    [
      '# HELP requests_total Requests.',
      '# TYPE requests_total counter',
      'requests_total{fn="a\\"\\\\\\n",code="2xx"} 3',
      '# HELP seconds Time.',
      '# TYPE seconds histogram',
      'seconds_bucket{le="0.1"} 2',
      'seconds_bucket{le="1"} 3',
      'seconds_bucket{le="+Inf"} 4',
      'seconds_sum 7.65',
      'seconds_count 4',
      '',
    ].join('\n'),
  )
})

test('series grow, are removed and used again, and never grow without bound', () => {
  const registry = new MetricsRegistry()
  const gauge = registry.gauge({ name: 'g', help: 'G.', labels: ['n'], maxSeries: 200 })
  for (let i = 0; i < 200; i++) gauge.set(gauge.series(String(i)), i)
  for (let i = 200; i < 300; i++) gauge.add(gauge.series(String(i)), 1)
  assert.match(registry.render(), /g\{n="199"\} 199\ng\{n="other"\} 100\n/)
  gauge.remove(gauge.series('7'))
  assert.doesNotMatch(registry.render(), /n="7"/)
  gauge.remove(gauge.series('8'))
  const again = gauge.series('again')
  assert.equal(gauge.get(again), 0)
})
