// The seam between the HTTP front and the rest: one request and the way back to its client.

/** What an exchange tells whoever handles it. */
export interface ExchangeEvents {
  /** Body bytes; their memory is not used again. Only after `readBody`; not while paused, but for what was under way. */
  onBody(chunk: Buffer): void
  /** The body is whole. */
  onBodyEnd(trailers: readonly string[]): void
  /** What was written has gone out. */
  onDrained(): void
  /** The client is gone, or what it sends is no HTTP any more. Nothing can be answered. Not called after a whole answer. */
  onGone(): void
}

export interface Exchange {
  readonly method: string
  /** As it was sent. */
  readonly target: string
  /** As they were sent: names and values alternate. */
  readonly rawHeaders: readonly string[]
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  readonly minorVersion: number
  /** The peer's address; undefined on the unix socket. */
  readonly peer: string | undefined
  /** Came over the unix socket, which only the platform's own user can reach. */
  readonly isTrusted: boolean
  events: ExchangeEvents | undefined

  /** Starts, or goes on, handing over the body; says 100 Continue first where the client waits for it. */
  readBody(): void
  pauseBody(): void
  /** A whole answer. Names in lower case; framing headers are the exchange's own, but for a `content-length` of an answer without body. */
  answer(status: number, headers: string[], body: Uint8Array | undefined): void
  /** A whole answer, after which the connection is closed and what is left of the request is not read. */
  answerAndClose(status: number, headers: string[], body: Uint8Array): void
  /** The head of an answer whose body follows. Chunked unless `content-length` is among the headers. */
  start(status: number, headers: string[]): void
  /** False when it should wait for `onDrained`. */
  write(chunk: Uint8Array): boolean
  end(trailers: readonly string[] | undefined): void
  /** Breaks the connection, so that a client that has half an answer sees that it is one. */
  abort(): void
}

export type HandleExchange = (exchange: Exchange) => void
