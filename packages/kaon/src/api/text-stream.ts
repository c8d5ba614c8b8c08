import type { Log } from '../base/log.ts'

/**
 * Text as a body that is read at its reader's pace: nothing is asked of `texts` before the reader wants more, and nothing is held.
 * When the reader goes away `abort` is fired, which must end a wait within `texts`, and `texts` is closed. A failure breaks the body off, so that it cannot pass for a whole one.
 */
export function textStream(texts: AsyncIterable<string>, abort: AbortController, log: Log): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const iterator = texts[Symbol.asyncIterator]()
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const next = await iterator.next()
          if (next.done === true) controller.close()
          else controller.enqueue(encoder.encode(next.value))
        } catch (error) {
          if (abort.signal.aborted) return controller.close()
          log.error('A streamed answer broke off.', { error })
          controller.error(new Error('The answer broke off.'))
        }
      },
      async cancel() {
        abort.abort()
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

/** Aborts when the client goes away, or by itself. */
export function abortWith(signal: AbortSignal): AbortController {
  const abort = new AbortController()
  if (signal.aborted) abort.abort()
  else signal.addEventListener('abort', () => abort.abort(), { once: true, signal: abort.signal })
  return abort
}
