import { heartbeatMs, type WorkerMemory } from '../worker-memory.ts'
import type { ControlPort } from '../worker-messages.ts'

/** Deadlines are told rounded up to this, so that a busy worker says four words a second and not one for each call. */
const deadlineStepMs = 250
/** Counters follow the calls by at most this. */
const countersDelayMs = 100

/** Keeps the supervisor of a worker that shares no memory with it up to date: heartbeat, earliest deadline, counters. */
export function sendVitals(memory: WorkerMemory, port: ControlPort, now: () => number): void {
  let toldDeadline = 0
  let isCounting = false
  const send = () => {
    isCounting = false
    memory.beat(now())
    port.post({ kind: 'vitals', counters: [...memory.counters], deadlineAt: toldDeadline })
  }
  memory.onDeadline = (at) => {
    const rounded = at === 0 ? 0 : Math.ceil(at / deadlineStepMs) * deadlineStepMs
    if (!isCounting) {
      isCounting = true
      setTimeout(send, countersDelayMs).unref()
    }
    if (rounded === toldDeadline || (rounded === 0 && toldDeadline > now())) return
    toldDeadline = rounded
    port.post({ kind: 'vitals', deadlineAt: toldDeadline })
  }
  setInterval(() => {
    if (memory.deadlineAt === 0) toldDeadline = 0
    send()
  }, heartbeatMs).unref()
}
