import { KaonError } from '../errors.ts'
import { endFlag, FrameKind, frameHeaderBytes, maxPayloadBytes } from './frame.ts'
import {
  type FlatHeaders,
  type RequestHead,
  type ResponseHead,
  requestHeadBound,
  responseHeadBound,
  trailersBound,
  writeBlock,
  writeRequestHead,
  writeResponseHead,
} from './head.ts'

const slabBytes = 65_536
/** Bodies up to this size are copied beside their frame headers, so that one write carries many answers; larger ones stay views. */
const copyBytes = 8_192

/** Frames in, bytes out: gathers all frames of one tick, so that the caller makes one write of them. Holds no I/O. */
export class FrameWriter {
  #slab = Buffer.allocUnsafeSlow(slabBytes)
  #start = 0
  #end = 0
  #parts: Buffer[] = []
  #bytes = 0

  /** Bytes gathered and not yet taken. */
  get pendingBytes(): number {
    return this.#bytes
  }

  hello(version: number, windowBytes: number, connection: number): void {
    const at = this.#open(10)
    this.#slab.writeUInt16BE(version, at)
    this.#slab.writeUInt32BE(windowBytes, at + 2)
    this.#slab.writeUInt32BE(connection, at + 6)
    this.#close(at, at + 10, FrameKind.hello, 0, 0)
  }

  request(stream: number, head: RequestHead, end: boolean): void {
    const at = this.#open(requestHeadBound(head))
    this.#close(at, writeRequestHead(this.#slab, at, head), FrameKind.request, end ? endFlag : 0, stream)
  }

  response(stream: number, head: ResponseHead, end: boolean): void {
    const at = this.#open(responseHeadBound(head))
    this.#close(at, writeResponseHead(this.#slab, at, head), FrameKind.response, end ? endFlag : 0, stream)
  }

  trailers(stream: number, headers: FlatHeaders): void {
    const at = this.#open(trailersBound(headers))
    this.#close(at, writeBlock(this.#slab, at, headers), FrameKind.trailers, endFlag, stream)
  }

  /** Body bytes, cut into as many frames as they need. Whoever calls keeps within the stream's credit. `bytes` must not be changed afterwards. */
  data(stream: number, bytes: Uint8Array, end: boolean): void {
    let offset = 0
    do {
      const length = Math.min(maxPayloadBytes, bytes.byteLength - offset)
      const last = offset + length === bytes.byteLength
      const flags = end && last ? endFlag : 0
      if (length <= copyBytes) {
        const at = this.#open(length)
        this.#slab.set(bytes.subarray(offset, offset + length), at)
        this.#close(at, at + length, FrameKind.data, flags, stream)
      } else {
        this.#header(length, FrameKind.data, flags, stream)
        this.#seal()
        this.#parts.push(Buffer.from(bytes.buffer, bytes.byteOffset + offset, length))
        this.#bytes += length
      }
      offset += length
    } while (offset < bytes.byteLength)
  }

  /** Text as `data`, written in its place when it is short. `bytes` is its length in UTF-8. */
  text(stream: number, text: string, bytes: number, end: boolean): void {
    if (bytes > copyBytes) {
      this.data(stream, Buffer.from(text), end)
      return
    }
    const at = this.#open(bytes)
    this.#slab.write(text, at, bytes, text.length === bytes ? 'latin1' : 'utf8')
    this.#close(at, at + bytes, FrameKind.data, end ? endFlag : 0, stream)
  }

  credit(stream: number, bytes: number): void {
    const at = this.#open(4)
    this.#slab.writeUInt32BE(bytes, at)
    this.#close(at, at + 4, FrameKind.credit, 0, stream)
  }

  cancel(stream: number, reason: number): void {
    this.#short(FrameKind.cancel, stream, reason)
  }

  refused(stream: number, reason: number): void {
    this.#short(FrameKind.refused, stream, reason)
  }

  started(stream: number): void {
    this.#header(0, FrameKind.started, 0, stream)
  }

  /** `ping` or `pong`. */
  bare(kind: typeof FrameKind.ping | typeof FrameKind.pong): void {
    this.#header(0, kind, 0, 0)
  }

  /** What was gathered, to be written in this order; empty when there is nothing. */
  take(): Buffer[] {
    this.#seal()
    const parts = this.#parts
    this.#parts = []
    this.#bytes = 0
    return parts
  }

  #short(kind: FrameKind, stream: number, reason: number): void {
    const at = this.#open(1)
    this.#slab[at] = reason
    this.#close(at, at + 1, kind, 0, stream)
  }

  #header(length: number, kind: FrameKind, flags: number, stream: number): void {
    const at = this.#open(0)
    this.#writeHeader(at - frameHeaderBytes, length, kind, flags, stream)
    this.#end = at
    this.#bytes += frameHeaderBytes
  }

  /** Room for a header and `bound` bytes; returns where the payload begins. */
  #open(bound: number): number {
    if (bound > maxPayloadBytes)
      throw new KaonError('headers_too_large', `A head of ${bound} bytes is larger than a frame of ${maxPayloadBytes}.`)
    if (this.#end + frameHeaderBytes + bound > this.#slab.length) {
      this.#seal()
      this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, frameHeaderBytes + bound))
      this.#start = 0
      this.#end = 0
    }
    return this.#end + frameHeaderBytes
  }

  #close(at: number, end: number, kind: FrameKind, flags: number, stream: number): void {
    this.#writeHeader(at - frameHeaderBytes, end - at, kind, flags, stream)
    this.#end = end
    this.#bytes += end - at + frameHeaderBytes
  }

  #writeHeader(at: number, length: number, kind: FrameKind, flags: number, stream: number): void {
    this.#slab.writeUInt32BE(length, at)
    this.#slab[at + 4] = kind
    this.#slab[at + 5] = flags
    this.#slab[at + 6] = 0
    this.#slab[at + 7] = 0
    this.#slab.writeUInt32BE(stream, at + 8)
  }

  #seal(): void {
    if (this.#end > this.#start) this.#parts.push(this.#slab.subarray(this.#start, this.#end))
    this.#start = this.#end
  }
}
