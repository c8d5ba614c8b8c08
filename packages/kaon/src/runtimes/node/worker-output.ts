import type { Readable } from 'node:stream'
import { isoTime } from '../../base/time.ts'
import type { WorkerLogLine } from '../worker.ts'

const maxHeldChars = 16_384

/** Log lines of what comes out of a worker past its own capture: native code, and Node itself. */
export function logPieces(stream: Readable, name: 'stdout' | 'stderr', onLog: (lines: WorkerLogLine[]) => void): void {
  let held = ''
  const emit = (messages: string[]) => {
    const ts = isoTime(Date.now())
    const level = name === 'stdout' ? 'info' : 'error'
    if (messages.length > 0) onLog(messages.map((msg) => ({ ts, level, msg, stream: name })))
  }
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const lines = (held + text).split('\n')
    held = lines.pop() as string
    if (held.length > maxHeldChars) {
      lines.push(held)
      held = ''
    }
    emit(lines)
  })
  stream.on('end', () => {
    if (held !== '') emit([held])
  })
  stream.on('error', () => undefined)
}
