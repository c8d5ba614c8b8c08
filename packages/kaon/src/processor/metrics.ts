import { durationBucketsSeconds, WorkerCounter } from '../runtimes/worker.ts'
import { labelText, mergeMetrics } from './metrics-text.ts'
import type { Supervisor } from './supervisor.ts'

/** A worker that hangs must not hang the metrics of the others. */
const customMetricsMs = 500

type Family = { name: string; type: 'counter' | 'gauge' | 'histogram'; help: string; samples: string[] }

/** The replica's metrics in Prometheus's text format, its workers' custom ones included. */
export async function replicaMetrics(supervisor: Supervisor, replica: string, sleep: (delayMs: number) => Promise<void>): Promise<string> {
  const { assignment } = supervisor
  if (assignment === undefined) return ''
  const labels = { namespace: assignment.namespace, function: assignment.function, revision: assignment.revision, replica }
  const families = createFamilies()
  for (const [index, slot] of supervisor.slots.entries()) {
    const own = { ...labels, worker: String(index) }
    addCounters(families, slot.totals.read(), own)
    for (const [cause, count] of Object.entries(slot.restarts))
      families.restarts.samples.push(`kaon_worker_restarts_total${labelText({ ...own, cause })} ${count}`)
  }
  families.dropped.samples.push(`kaon_log_lines_dropped_total${labelText(labels)} ${supervisor.logDropped}`)
  families.memory.samples.push(`kaon_replica_memory_bytes${labelText(labels)} ${supervisor.memoryBytes}`)
  const custom = await Promise.all(
    supervisor.slots.map(async (slot, index) => {
      const text = slot.handle?.customMetrics().catch(() => '') ?? ''
      return { text: await Promise.race([text, sleep(customMetricsMs).then(() => '')]), labels: { ...labels, worker: String(index) } }
    }),
  )
  return Object.values(families).map(familyText).join('') + mergeMetrics(custom)
}

function createFamilies() {
  const family = (name: string, type: Family['type'], help: string): Family => ({ name, type, help, samples: [] })
  return {
    started: family('kaon_invocations_started_total', 'counter', 'Calls whose handler was started.'),
    finished: family('kaon_invocations_total', 'counter', 'Calls that ended, by result.'),
    duration: family('kaon_invocation_duration_seconds', 'histogram', 'Time from the start of the handler to the end of its answer.'),
    inFlight: family('kaon_invocations_in_flight', 'gauge', 'Calls whose handler runs.'),
    abandoned: family('kaon_invocations_abandoned', 'gauge', 'Calls that went on after their deadline.'),
    requestBytes: family('kaon_request_bytes_total', 'counter', 'Bytes of request bodies.'),
    responseBytes: family('kaon_response_bytes_total', 'counter', 'Bytes of response bodies.'),
    restarts: family('kaon_worker_restarts_total', 'counter', 'Workers that were replaced, by cause.'),
    dropped: family('kaon_log_lines_dropped_total', 'counter', 'Log lines lost because the disk did not keep up.'),
    memory: family('kaon_replica_memory_bytes', 'gauge', 'Resident memory of the replica.'),
  }
}

function addCounters(families: ReturnType<typeof createFamilies>, values: Float64Array, labels: Record<string, string>): void {
  const value = (counter: number) => values[counter] ?? 0
  const text = labelText(labels)
  const add = (family: Family, labelsText: string, amount: number) => family.samples.push(`${family.name}${labelsText} ${amount}`)
  add(families.started, text, value(WorkerCounter.started))
  const failed = value(WorkerCounter.failed)
  const timedOut = value(WorkerCounter.timedOut)
  add(families.finished, labelText({ ...labels, result: 'ok' }), Math.max(0, value(WorkerCounter.finished) - failed - timedOut))
  add(families.finished, labelText({ ...labels, result: 'failed' }), failed)
  add(families.finished, labelText({ ...labels, result: 'timed_out' }), timedOut)
  add(families.inFlight, text, value(WorkerCounter.inFlight))
  add(families.abandoned, text, value(WorkerCounter.abandoned))
  add(families.requestBytes, text, value(WorkerCounter.requestBytes))
  add(families.responseBytes, text, value(WorkerCounter.responseBytes))
  const { name, samples } = families.duration
  let count = 0
  for (let i = 0; i <= durationBucketsSeconds.length; i++) {
    count += value(WorkerCounter.firstBucket + i)
    samples.push(`${name}_bucket${labelText({ ...labels, le: String(durationBucketsSeconds[i] ?? '+Inf') })} ${count}`)
  }
  samples.push(`${name}_sum${text} ${value(WorkerCounter.durationMs) / 1000}`, `${name}_count${text} ${count}`)
}

function familyText(family: Family): string {
  if (family.samples.length === 0) return ''
  return `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.type}\n${family.samples.join('\n')}\n`
}
