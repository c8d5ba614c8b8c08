/** Bounds of everything that a client can make grow. */
export type GatewayLimits = {
  /** Bytes of a request's head. */
  maxHeadBytes: number
  maxHeaders: number
  maxBodyBytes: number
  maxConnections: number
  /** From the first byte of a request to the end of its head. */
  headTimeoutMs: number
  /** Between two pieces of a body. */
  bodyIdleMs: number
  /** Between two requests of a connection. */
  keepAliveMs: number
  /** Calls and their bytes that wait for one revision. */
  maxHeld: number
  maxHeldBytes: number
  /** How long a call waits for a function that has no revision yet, and so no timeout of its own. */
  unknownTimeoutMs: number
}

export const defaultLimits: GatewayLimits = {
  maxHeadBytes: 16_384,
  maxHeaders: 100,
  maxBodyBytes: 100 * 1024 * 1024,
  maxConnections: 10_000,
  headTimeoutMs: 15_000,
  bodyIdleMs: 30_000,
  keepAliveMs: 65_000,
  maxHeld: 1_000,
  maxHeldBytes: 64 * 1024 * 1024,
  unknownTimeoutMs: 30_000,
}
