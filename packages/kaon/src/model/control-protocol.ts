// What gateways and replicas say to the control plane, and it to them: JSON lines over the control socket.
// They dial it and say who they are; after a break they dial again, and that is all there is to adoption.
import type { ReplicaAssignment } from './assignment.ts'
import type { RoutingTable } from './routing-table.ts'

export const controlProtocolVersion = 1

/** How often a replica says that it is alive. */
export const beatMs = 2_000

/** A replica's life: empty (in the pool) → starting → ready → draining → gone; or failed. */
export type ReplicaPhase = 'empty' | 'starting' | 'ready' | 'draining' | 'failed'

/** Steps of a start in ms since the assignment came. */
export type StartSteps = { loadedMs?: number; initialisedMs?: number; readyMs?: number }

export type ReplicaReport = {
  phase: ReplicaPhase
  /** Set once it is assigned. */
  revision?: { namespace: string; function: string; name: string; uid: string }
  /** The replica's link socket, to which gateways connect; set when ready. */
  link?: string
  steps?: StartSteps
  /** Why it failed: a code of the error table, and a sentence with the last lines of the log where they help. */
  failure?: { code: string; message: string }
}

/** First message of whoever dials. */
export type Hello =
  | {
      kind: 'hello'
      version: number
      role: 'gateway'
      id: string
      pid: number
      token: string
      address: string
      tableVersion: string | null
    }
  | { kind: 'hello'; version: number; role: 'replica'; id: string; pid: number; token: string; report: ReplicaReport }

export type FromReplica =
  | { kind: 'report'; report: ReplicaReport }
  /** Every `beatMs` from its welcome on: the supervisor is alive. */
  | { kind: 'beat' }
  /** Each second while anything changed: totals since the replica started, and in-flight as its integral over time (request-ms). */
  | { kind: 'counts'; started: number; finished: number; failed: number; inFlightMs: number; memoryBytes: number }

export type ToReplica =
  | { kind: 'welcome' }
  | { kind: 'assign'; assignment: ReplicaAssignment }
  | { kind: 'log-level'; level: ReplicaAssignment['logLevel'] }
  /** Take no new calls, finish those in flight, exit; end what is left after `graceMs`. */
  | { kind: 'drain'; graceMs: number }
  /** Not known here: exit now. */
  | { kind: 'refused'; reason: string }

export type FromGateway =
  | { kind: 'table-applied'; version: string }
  /** A call waits for a replica of this revision. */
  | { kind: 'waiting'; revisionUid: string; count: number }

export type ToGateway = { kind: 'welcome' } | { kind: 'table'; table: RoutingTable } | { kind: 'refused'; reason: string }
