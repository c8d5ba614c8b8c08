import { MetricsRegistry } from '../base/metrics.ts'
import type { Clock } from '../base/system.ts'
import type { ObserveReconcile } from '../controller/reconciler.ts'

const durationBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export type PlatformMetrics = {
  observeReconcile: ObserveReconcile
  observeRequest(method: string, status: number, durationMs: number): void
  /** Prometheus text; `depths` are the keys that wait or run in each controller. */
  text(depths: Record<string, number>): string
}

/** What the control plane counts of itself. */
export function createPlatformMetrics(clock: Pick<Clock, 'monotonic'>): PlatformMetrics {
  const registry = new MetricsRegistry()
  const requests = registry.counter({ name: 'kaon_api_requests_total', help: 'Answered requests of the API.', labels: ['method', 'code'] })
  const latency = registry.histogram(
    { name: 'kaon_api_request_duration_seconds', help: 'From the head of a request to the head of its answer.', labels: ['method'] },
    durationBounds,
  )
  const reconciles = registry.counter({
    name: 'kaon_controller_reconcile_total',
    help: 'Reconciliations.',
    labels: ['controller', 'result'],
  })
  const reconcileTime = registry.histogram(
    { name: 'kaon_controller_reconcile_duration_seconds', help: 'Time of one reconciliation.', labels: ['controller'] },
    durationBounds,
  )
  const depth = registry.gauge({ name: 'kaon_controller_queue_depth', help: 'Keys that wait or are worked on.', labels: ['controller'] })
  const resident = registry.gauge({ name: 'process_resident_memory_bytes', help: 'Resident memory.', labels: [] })
  const heap = registry.gauge({ name: 'nodejs_heap_size_used_bytes', help: 'Used heap.', labels: [] })
  const cpu = registry.counter({ name: 'process_cpu_seconds_total', help: 'CPU time, user and system.', labels: [] })
  const up = registry.gauge({ name: 'kaon_control_plane_uptime_seconds', help: 'Since the control plane started.', labels: [] })
  const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
  const startedAt = clock.monotonic()
  return {
    observeReconcile(controller, result, durationMs) {
      reconciles.add(reconciles.series(controller, result), 1)
      reconcileTime.observe(reconcileTime.series(controller), durationMs / 1000)
    },
    observeRequest(given, status, durationMs) {
      const method = methods.has(given) ? given : 'other'
      requests.add(requests.series(method, String(status)), 1)
      latency.observe(latency.series(method), durationMs / 1000)
    },
    text(depths) {
      for (const [controller, keys] of Object.entries(depths)) depth.set(depth.series(controller), keys)
      const memory = process.memoryUsage()
      const { user, system } = process.cpuUsage()
      resident.set(resident.series(), memory.rss)
      heap.set(heap.series(), memory.heapUsed)
      cpu.set(cpu.series(), (user + system) / 1e6)
      up.set(up.series(), (clock.monotonic() - startedAt) / 1000)
      return registry.render()
    },
  }
}
