import { KaonError } from '../errors.ts'

// The worker protocol's frames. A frame is a header of 12 bytes and a payload of at most 64 KiB, integers big-endian:
//
//   0  u32  length of the payload
//   4  u8   kind
//   5  u8   flags (1 = END: nothing more comes on this stream in this direction)
//   6  u16  reserved, 0
//   8  u32  stream (0 = the connection itself; a gateway numbers its calls 1, 2, 3 …)
//
// A call:  gateway → REQUEST [DATA …] [TRAILERS]    worker → RESPONSE [DATA …] [TRAILERS], or REFUSED (its handler was not started).
// Either side may send CANCEL. DATA spends the receiver's window; CREDIT gives some back.
//
// When a call is over, exactly:
// - A worker's END, REFUSED or CANCEL ends the stream for both sides; what is left of the request's body is not wanted and later frames for
//   it are ignored. A CANCEL from the worker after its RESPONSE means that the answer is not whole: the caller must see it cut off.
// - A gateway's CANCEL says that nobody waits any more. The handler runs on: its slot is taken until the worker answers with a CANCEL of its
//   own, when it has settled (at once when it had not started).
// - At the deadline the gateway answers its caller and sends CANCEL(deadline). A worker that hears nothing answers 504 itself a little later.
// - The deadline is for the head of the answer; a body that streams has none. REQUEST counts as in flight from its head on.
// - A worker may answer before it has read the whole body (413). Windows hold per stream and direction, in bytes of DATA payload.
// - The first frame of each side is HELLO. Streams only grow. Anything else, an unknown kind or more DATA than the window: the connection ends.

export const protocolVersion = 1
export const frameHeaderBytes = 12
export const maxPayloadBytes = 65_536
/** Body bytes each side may have under way on a stream before it waits for CREDIT. */
export const defaultWindowBytes = 262_144

export const FrameKind = {
  /** u16 version, u32 window, u32 number of the connection (from the worker; 0 from the gateway). First on each side. */
  hello: 1,
  /** A request head, see `head.ts`. */
  request: 2,
  /** A response head. */
  response: 3,
  data: 4,
  /** A header block; always with END. */
  trailers: 5,
  /** u32: body bytes that may be sent beyond those allowed so far. */
  credit: 6,
  /** u8 reason: the sender wants no more of this stream. */
  cancel: 7,
  /** u8 reason: the handler was not and will not be started; the call may go elsewhere. */
  refused: 8,
  /** The handler is about to start (workers that are processes; for a thread its supervisor knows). */
  started: 9,
  ping: 10,
  pong: 11,
} as const
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

export const CancelReason = { deadline: 1, clientGone: 2, failed: 3, tooLarge: 4 } as const
export const RefusedReason = { draining: 1, full: 2 } as const

export const endFlag = 1

/** Called for each whole frame. `payload` is a view that is good until the callback returns, unless the frame is DATA: its bytes are never reused. */
export type FrameHandler = (kind: number, flags: number, stream: number, payload: Buffer) => void

/** Bytes in, frames out. Holds no I/O; gives views on what came in and copies only a frame that was split. */
export class FrameDecoder {
  #held: Buffer | undefined

  /** Throws `protocol_error` for a frame that is too long; the connection is then of no more use. */
  push(chunk: Buffer, onFrame: FrameHandler): void {
    let buffer = chunk
    if (this.#held !== undefined) {
      buffer = Buffer.concat([this.#held, chunk])
      this.#held = undefined
    }
    let offset = 0
    while (buffer.length - offset >= frameHeaderBytes) {
      const length = buffer.readUInt32BE(offset)
      if (length > maxPayloadBytes) throw new KaonError('protocol_error', `A frame of ${length} bytes is longer than ${maxPayloadBytes}.`)
      const end = offset + frameHeaderBytes + length
      if (end > buffer.length) break
      onFrame(
        buffer[offset + 4] as number,
        buffer[offset + 5] as number,
        buffer.readUInt32BE(offset + 8),
        buffer.subarray(offset + frameHeaderBytes, end),
      )
      offset = end
    }
    if (offset < buffer.length) this.#held = offset === 0 ? buffer : buffer.subarray(offset)
  }
}
