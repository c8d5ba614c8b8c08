/** The largest body that a handler gets in one piece; `export const streamBody = true` has no limit. */
export const maxBodyBytes = 32 * 1024 * 1024

const none = new Uint8Array(0)

/** A request's body on its way in: kept whole, or handed on as it comes. `onConsumed` gives the sender room for as many bytes more. */
export class RequestBody {
  #chunks: Uint8Array[] = []
  #ended = false
  #failure: unknown
  #wanted: (() => void) | undefined
  readonly #onConsumed: (bytes: number) => void
  /** Bytes that came so far. */
  bytes = 0
  #takenBytes = 0

  constructor(onConsumed: (bytes: number) => void) {
    this.#onConsumed = onConsumed
  }

  /** Bytes that came and were not taken yet. */
  get waitingBytes(): number {
    return this.bytes - this.#takenBytes
  }

  push(chunk: Uint8Array): void {
    this.bytes += chunk.byteLength
    this.#chunks.push(chunk)
    this.#wanted?.()
  }

  end(): void {
    this.#ended = true
    this.#wanted?.()
  }

  /** The rest will not come. */
  fail(reason: unknown): void {
    if (this.#ended || this.#failure !== undefined) return
    this.#failure = reason
    this.#wanted?.()
  }

  /** The whole body once it ended; a view on what came where that was one piece. */
  whole(): Uint8Array {
    const [first] = this.#chunks
    if (first === undefined) return none
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0] as Uint8Array
  }

  /** Forgets what came: nobody will read it. */
  drop(): void {
    this.#chunks = []
  }

  /** The body as it comes; it can be taken once. */
  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: (controller) => this.#pull(controller),
        cancel: () => this.#discard(),
      },
      { highWaterMark: 0 },
    )
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (this.#chunks.length === 0 && !this.#ended && this.#failure === undefined)
      await new Promise<void>((resolve) => {
        this.#wanted = resolve
      })
    const chunk = this.#chunks.shift()
    if (chunk !== undefined) {
      this.#take(chunk)
      controller.enqueue(chunk)
    } else if (this.#failure !== undefined) controller.error(this.#failure)
    else controller.close()
  }

  #take(chunk: Uint8Array): void {
    this.#takenBytes += chunk.byteLength
    this.#onConsumed(chunk.byteLength)
  }

  /** The reader wants no more: what still comes is let through, so that the sender does not wait for room. */
  #discard(): void {
    const discard = () => {
      for (const chunk of this.#chunks.splice(0)) this.#take(chunk)
    }
    this.#wanted = discard
    discard()
  }
}

/** A stream of bytes that are all there. */
export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (bytes.byteLength > 0) controller.enqueue(bytes)
      controller.close()
    },
  })
}
