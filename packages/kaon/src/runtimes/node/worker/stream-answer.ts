import type { ChunkSource } from './answer.ts'
import { chunkBytes, chunkType } from './answer.ts'

const gatherBytes = 65_536
const gatherChunks = 64

/** What a stream gave without waiting for anything outside, and where it goes on. */
export type Gathered = {
  chunks: Uint8Array[]
  /** True when the stream has ended: then it can be sent whole, with its length. */
  isWhole: boolean
  /** Content type by the first chunk. */
  type: readonly string[]
  /** The step that was asked for and has not come yet. */
  next: Promise<IteratorResult<unknown>> | undefined
}

/**
 * Takes the chunks that a stream gives at once, up to a bound: a `Response` around a string is a stream too, and goes out in one write.
 * Waits for a first chunk only when `waitForFirst`.
 */
export function gather(source: ChunkSource, waitForFirst: boolean): Promise<Gathered> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let type: readonly string[] = chunkType(undefined)
    let bytes = 0
    let isOver = false
    const finish = (isWhole: boolean, next: Promise<IteratorResult<unknown>> | undefined) => {
      if (isOver) return
      isOver = true
      resolve({ chunks, isWhole, type, next })
    }
    const fail = (reason: unknown) => {
      if (isOver) return
      isOver = true
      reject(reason)
    }
    const pull = () => {
      const next = step(source)
      pending = next
      next
        .then((result) => {
          if (isOver) return
          if (result.done) return finish(true, undefined)
          if (chunks.length === 0) {
            type = chunkType(result.value)
            if (waitForFirst) afterMicrotasks(() => finish(false, pending))
          }
          const chunk = chunkBytes(result.value)
          chunks.push(chunk)
          bytes += chunk.byteLength
          if (bytes >= gatherBytes || chunks.length >= gatherChunks) finish(false, undefined)
          else pull()
        })
        .catch(fail)
    }
    let pending: Promise<IteratorResult<unknown>> | undefined
    pull()
    if (!waitForFirst) afterMicrotasks(() => finish(false, pending))
  })
}

/** Asks for the next chunk; a synchronous generator's throw becomes a rejection. */
export async function step(source: ChunkSource): Promise<IteratorResult<unknown>> {
  return source.next()
}

/** Runs `action` when all promises that can settle without I/O or a timer have. */
function afterMicrotasks(action: () => void): void {
  queueMicrotask(() => process.nextTick(action))
}

/** Tells a stream that nobody reads on. */
export function stopSource(source: ChunkSource): void {
  try {
    const stopped = source.return?.() as Promise<unknown> | undefined
    if (typeof stopped?.then === 'function') stopped.then(undefined, () => undefined)
  } catch {
    // It does not want to be stopped; it is not read any further anyway.
  }
}
