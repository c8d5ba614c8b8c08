// What a replica's supervisor tells the gateways that connect to its link socket: JSON lines, one way.
// It names the sockets of the workers, to which the gateway then speaks frames; so a worker can be replaced without the control plane.

export type LinkWorker = { index: number; generation: number; socket: string }

export type FromSupervisor =
  | { kind: 'hello'; replica: string; revisionUid: string; version: number }
  /** The whole truth, on every change. While draining nothing new may be sent. */
  | { kind: 'workers'; draining: boolean; workers: LinkWorker[] }
  /** A worker died. For each connection to it (the number it gave in its HELLO) the last stream whose handler was started: later ones were not. */
  | {
      kind: 'gone'
      index: number
      generation: number
      cause: 'timeout' | 'memory' | 'crashed' | 'exited' | 'stopped'
      lastStarted: Record<string, number>
    }

export const linkProtocolVersion = 1
