import type { Readable } from 'node:stream'
import { isoTime } from '../../base/time.ts'
import type { WorkerLogLine } from '../worker.ts'

const maxHeldChars = 16_384

/** Log lines of what comes out of a worker past its own capture: native code, and Node itself. */
export function logPieces(stream: Readable, name: 'stdout' | 'stderr', onLog: (lines: WorkerLogLine[]) => void): void {
  let held = ''
  let isGoingOn = false
  const emit = (messages: string[], isLastCut: boolean) => {
    const ts = isoTime(Date.now())
    const level = name === 'stdout' ? 'info' : 'error'
    const lines = messages.map((msg, i): WorkerLogLine => {
      const cut = { start: i === 0 && isGoingOn, end: isLastCut && i === messages.length - 1 }
      return { ts, level, msg, stream: name, ...(cut.start || cut.end ? { cut } : {}) }
    })
    if (lines.length === 0) return
    isGoingOn = isLastCut
    onLog(lines)
  }
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const lines = (held + text).split('\n')
    held = lines.pop() as string
    const isCut = held.length > maxHeldChars
    if (isCut) {
      lines.push(held)
      held = ''
    }
    emit(lines, isCut)
  })
  stream.on('end', () => {
    if (held !== '') emit([held], true)
  })
  stream.on('error', () => undefined)
}
