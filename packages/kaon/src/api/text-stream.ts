import type { Log } from '../base/log.ts'
import type { Clock, Timer } from '../base/system.ts'

/** How long a reader may leave a text untaken. */
export type Patience = { clock: Pick<Clock, 'after'>; ms: number }

/**
 * Text as a body that is read at its reader's pace: nothing is asked of `texts` before the reader wants more, and nothing is held.
 * When the reader goes away `abort` is fired, which must end a wait within `texts`, and `texts` is closed. A failure breaks the body off, so that it cannot pass for a whole one;
 * so does a reader who takes nothing for longer than `patience`.
 */
export function textStream(
  texts: AsyncIterable<string>,
  abort: AbortController,
  log: Log,
  patience?: Patience,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const iterator = texts[Symbol.asyncIterator]()
  let untaken: Timer | undefined
  const giveUp = (controller: ReadableStreamDefaultController) => {
    abort.abort()
    controller.error(new Error('Its reader takes nothing.'))
    void iterator.return?.()
  }
  return new ReadableStream(
    {
      async pull(controller) {
        // It is asked only when what came before was taken.
        untaken?.cancel()
        try {
          const next = await iterator.next()
          if (next.done === true) return controller.close()
          controller.enqueue(encoder.encode(next.value))
          untaken = patience?.clock.after(patience.ms, () => giveUp(controller), { idle: true })
        } catch (error) {
          if (abort.signal.aborted) return controller.close()
          log.error('A streamed answer broke off.', { error })
          controller.error(new Error('The answer broke off.'))
        }
      },
      async cancel() {
        untaken?.cancel()
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
