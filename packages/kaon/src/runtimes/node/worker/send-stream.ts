import type { Answer, ChunkSource } from './answer.ts'
import { chunkBytes } from './answer.ts'
import { hasContentType } from './answer-headers.ts'
import type { Call } from './call.ts'
import { gather, step, stopSource } from './stream-answer.ts'

/**
 * Sends a streamed answer as it comes, as fast as the caller takes it. Without a content type of its own it waits for the first chunk,
 * which says what it is. Returns the answer instead of sending it when it turned out to be whole. Rejects with what the stream threw.
 */
export async function sendStream(call: Call, answer: Answer, source: ChunkSource, onOpen: () => void): Promise<Answer | undefined> {
  const { reply } = call
  const isTyped = hasContentType(answer.headers)
  const first = await gather(source, !isTyped)
  if (call.isAbandoned) return undefined
  const headers = isTyped || (first.isWhole && first.chunks.length === 0) ? answer.headers : [...first.type, ...answer.headers]
  if (first.isWhole)
    return { status: answer.status, headers, body: first.chunks.length === 1 ? first.chunks[0] : Buffer.concat(first.chunks) }
  onOpen()
  if (isBodiless(call, answer.status)) {
    stopSource(source)
    await reply.send(answer.status, headers, undefined, false)
    return undefined
  }
  reply.open(answer.status, headers)
  for (const chunk of first.chunks) await reply.write(chunk)
  for (let next = first.next; ; next = undefined) {
    const result = await (next ?? step(source))
    if (call.isAbandoned) break
    if (result.done) {
      await reply.close()
      break
    }
    const chunk = chunkBytes(result.value)
    if (chunk.byteLength > 0) await reply.write(chunk)
  }
  return undefined
}

function isBodiless(call: Call, status: number): boolean {
  return call.incoming.method === 'HEAD' || status === 204 || status === 304
}

/** Stops whatever stream a result that nobody wants holds. */
export function discardAnswer(result: unknown): void {
  if (typeof result !== 'object' || result === null) return
  if (result instanceof Response) void result.body?.cancel().catch(() => undefined)
  else if (result instanceof ReadableStream) void result.cancel().catch(() => undefined)
  else if ('next' in result && typeof result.next === 'function') stopSource(result as ChunkSource)
}
