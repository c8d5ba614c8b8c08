import { KaonError } from './errors.ts'

/** The longest message of a JSON-lines connection. */
export const maxLineBytes = 16 * 1024 * 1024

/** One message as it goes over the wire. */
export function encodeJsonLine(message: unknown): string {
  return `${JSON.stringify(message)}\n`
}

/** Bytes in, messages out: one JSON value a line, lines of at most `limitBytes`. Holds no I/O. */
export class JsonLineDecoder {
  #parts: Buffer[] = []
  #heldBytes = 0
  readonly #limitBytes: number

  constructor(limitBytes = maxLineBytes) {
    this.#limitBytes = limitBytes
  }

  /** The messages that `chunk` completes. Throws `protocol_error` for a line that is too long or no JSON. */
  push(chunk: Buffer): unknown[] {
    const messages: unknown[] = []
    let start = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const line = this.#parts.length === 0 ? chunk.subarray(start, end) : Buffer.concat([...this.#parts, chunk.subarray(start, end)])
      this.#parts = []
      this.#heldBytes = 0
      start = end + 1
      if (line.length > this.#limitBytes) throw this.#tooLong()
      if (line.length > 0) messages.push(this.#parse(line))
    }
    if (start < chunk.length) {
      this.#heldBytes += chunk.length - start
      if (this.#heldBytes > this.#limitBytes) throw this.#tooLong()
      this.#parts.push(Buffer.from(chunk.subarray(start)))
    }
    return messages
  }

  #tooLong(): KaonError {
    return new KaonError('protocol_error', `A line is longer than ${this.#limitBytes} bytes.`)
  }

  #parse(line: Buffer): unknown {
    try {
      return JSON.parse(line.toString('utf8'))
    } catch (cause) {
      throw new KaonError('protocol_error', 'A line is not JSON.', { cause })
    }
  }
}
