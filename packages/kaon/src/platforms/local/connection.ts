import type { FromReplica, Hello, ToReplica } from '../../model/control-protocol.ts'
import type { Platform } from '../platform.ts'

/** A replica's connection to the control socket, after its hello. The control server makes it; the platform decides whether the replica is one of its own. */
export type ReplicaConnection = {
  hello: Extract<Hello, { role: 'replica' }>
  send(message: ToReplica): void
  onMessage(listener: (message: FromReplica) => void): void
  onClose(listener: () => void): void
  close(): void
}

export interface LocalPlatform extends Platform {
  /** Takes a replica that dialled: one of ours is welcomed (and so adopted after a restart of the control plane), any other refused. */
  attach(connection: ReplicaConnection): void
  /** SHA-256 (hexadecimal) of the token of each replica that may dial, by replica id. */
  readonly expectedTokens: ReadonlyMap<string, string>
  /** Ends the platform; its replicas go with it, or run on to be adopted by the next one on this data folder. */
  close(options: { stopReplicas: boolean }): Promise<void>
}

/** What a replica's process reads from descriptor 3 when it starts: one line of JSON, then the end. The token is nowhere else. */
export type ProcessorStart = {
  id: string
  token: string
  controlSocket: string
  runFolder: string
  scratchFolder: string
  /** The bundled entries of the workers. */
  workerFiles: { thread: string; process: string }
}
