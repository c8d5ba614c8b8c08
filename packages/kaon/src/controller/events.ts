import { createHash } from 'node:crypto'
import { isKaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Clock, Random } from '../base/system.ts'
import { kubernetesTime, parseTime } from '../base/time.ts'
import type { EventResource } from '../model/core.ts'
import type { Stored } from '../model/metadata.ts'
import type { Store } from '../stores/store.ts'
import { keyOf, resourceOf, withIdentity } from './objects.ts'

export type Happening = { type: 'Normal' | 'Warning'; reason: string; message: string }

/** Writes what happened to an object as Event resources. Never in the way of what it reports on, never more than so many. */
export interface Events {
  record(object: Stored, happening: Happening): void
  /** Removes what is older than an hour. */
  expire(): Promise<void>
  /** Resolves when everything recorded so far is written. */
  settled(): Promise<void>
}

export type EventsDeps = { store: Pick<Store, 'get' | 'list' | 'write'>; clock: Pick<Clock, 'now'>; random: Random; log: Log }

const keptMs = 3_600_000
const longestMessage = 1_024
const waitingLimit = 1_000
/** Different events of one object within an hour; more say nothing new. */
const perObjectLimit = 25

export function createEvents(deps: EventsDeps): Events {
  const { store, clock, log } = deps
  const names = new Map<string, Map<string, number>>()
  let waiting = 0
  let tail: Promise<void> = Promise.resolve()

  /** Same object, reason and message: one event that counts. */
  function admit(object: Stored, name: string): boolean {
    const { uid } = object.metadata
    const own = names.get(uid) ?? new Map<string, number>()
    names.set(uid, own)
    for (const [known, at] of own) if (clock.now() - at > keptMs) own.delete(known)
    if (!own.has(name) && own.size >= perObjectLimit) return false
    own.set(name, clock.now())
    return true
  }

  async function write(object: Stored, happening: Happening, name: string): Promise<void> {
    const namespace = object.metadata.namespace ?? 'default'
    const key = { resource: resourceOf('Event'), namespace, name }
    const now = kubernetesTime(clock.now())
    const stored = (await store.get(key)) as Stored<EventResource> | undefined
    if (stored !== undefined) {
      const next = { ...stored, count: (stored.count ?? 1) + 1, lastTimestamp: now }
      await store.write({ kind: 'update', key, object: next, expected: stored.metadata.resourceVersion })
    } else await store.write({ kind: 'create', key, object: withIdentity(newEvent(object, happening, name, now), deps) })
  }

  return {
    record(object, happening) {
      const short = { ...happening, message: happening.message.slice(0, longestMessage) }
      const name = eventName(object, short)
      if (waiting >= waitingLimit || !admit(object, name)) return
      waiting++
      tail = tail
        .then(() => write(object, short, name))
        .catch((error: unknown) => {
          const isStale = isKaonError(error) && ['conflict', 'already_exists', 'not_found'].includes(error.code)
          if (!isStale) log.warn('An event could not be written.', { reason: short.reason, error: String(error) })
        })
        .finally(() => {
          waiting--
        })
    },
    async expire() {
      const { items } = await store.list({ resource: resourceOf('Event') })
      for (const event of items as Stored<EventResource>[]) {
        const last = parseTime(event.lastTimestamp ?? event.metadata.creationTimestamp)
        if (clock.now() - last < keptMs) continue
        await store.write({ kind: 'delete', key: keyOf(event) }).catch(() => {})
      }
      for (const [uid, own] of names) if ([...own.values()].every((at) => clock.now() - at > keptMs)) names.delete(uid)
    },
    settled: () => tail,
  }
}

function eventName(object: Stored, { type, reason, message }: Happening): string {
  const hash = createHash('sha256').update(`${object.metadata.uid} ${type} ${reason} ${message}`).digest('hex')
  return `${object.metadata.name.slice(0, 200)}.${hash.slice(0, 16)}`
}

function newEvent(object: Stored, { type, reason, message }: Happening, name: string, now: string): EventResource {
  const { namespace, uid, resourceVersion } = object.metadata
  const place = namespace === undefined ? {} : { namespace }
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace: namespace ?? 'default' },
    involvedObject: { apiVersion: object.apiVersion, kind: object.kind, ...place, name: object.metadata.name, uid, resourceVersion },
    type,
    reason,
    message,
    count: 1,
    firstTimestamp: now,
    lastTimestamp: now,
    source: { component: 'kaon' },
  }
}
