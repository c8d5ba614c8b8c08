import { inspect } from 'node:util'
import type { LogLevel } from '../../../base/log.ts'
import type { CallScope } from './call-scope.ts'
import type { LogQueue } from './log-queue.ts'

const maxHeldChars = 16_384

/** A part of a line that has no end yet, and the request that wrote it. */
type Held = { text: string; requestId: string | undefined }

/**
 * Turns what the handler prints (`console.*`, `process.stdout`, `process.stderr`) into log lines of the request that printed it.
 * Returns a function that gives up lines without an end.
 */
export function captureOutput(scope: CallScope, logs: LogQueue): () => void {
  let consoleLevel: LogLevel | undefined
  const flushes = (['stdout', 'stderr'] as const).map((stream) => {
    let held: Held = { text: '', requestId: undefined }
    let isGoingOn = false
    const emit = (msg: string, requestId: string | undefined, end = false) => {
      const level = consoleLevel ?? (stream === 'stdout' ? 'info' : 'error')
      const cut = isGoingOn || end ? { cut: { start: isGoingOn, end } } : {}
      isGoingOn = end
      logs.add({ level, msg, stream, ...(requestId === undefined ? {} : { requestId }), ...cut })
    }
    const flush = () => {
      if (held.text !== '') emit(held.text, held.requestId, true)
      held = { text: '', requestId: undefined }
    }
    capture(process[stream], (text) => {
      const requestId = scope.current?.requestId
      if (held.text !== '' && held.requestId !== requestId) flush()
      const lines = (held.text + text).split('\n')
      held = { text: lines.pop() as string, requestId }
      for (const line of lines) emit(line, requestId)
      if (held.text.length > maxHeldChars) flush()
    })
    return flush
  })
  const levels = { debug: 'debug', warn: 'warn', error: 'error' } as const
  for (const [method, level] of Object.entries(levels) as [keyof typeof levels, LogLevel][]) {
    const original = console[method]
    console[method] = (...values: unknown[]) => {
      consoleLevel = level
      try {
        original.apply(console, values)
      } finally {
        consoleLevel = undefined
      }
    }
  }
  process.on('warning', (warning) => logs.add({ level: 'warn', msg: `${warning.name}: ${warning.message}`, stream: 'stderr' }))
  return () => {
    for (const flush of flushes) flush()
  }
}

/** Puts `onText` in the place of a standard stream's `write`; everything else of the stream stays. */
function capture(stream: NodeJS.WriteStream, onText: (text: string) => void): void {
  stream.write = (chunk: unknown, encoding?: unknown, done?: unknown): boolean => {
    const callback = typeof encoding === 'function' ? encoding : done
    if (typeof chunk === 'string') onText(chunk)
    else if (ArrayBuffer.isView(chunk)) onText(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('utf8'))
    else throw new TypeError(`The chunk must be a string or bytes, not ${inspect(chunk, { depth: 0 })}.`)
    if (typeof callback === 'function') queueMicrotask(callback as () => void)
    return true
  }
}
