import type { Clock, Timer } from '../base/system.ts'
import type { Settings } from './settings.ts'
import type { Terminal } from './terminal.ts'

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** What goes on, on stderr: one line that moves on a terminal, a plain line for each step elsewhere, nothing under --quiet. */
export type Progress = Disposable & {
  /** Names the step that goes on now. */
  step(text: string): void
  /** Writes a line that stays, above the moving one. */
  note(line: string): void
  /** Ends with a line that stays: what was reached. */
  done(text: string): void
}

export function createProgress(deps: {
  terminal: Terminal
  clock: Pick<Clock, 'every' | 'monotonic'>
  settings: Pick<Settings, 'isQuiet'>
}): Progress {
  const { terminal, clock, settings } = deps
  if (settings.isQuiet) return { step() {}, note() {}, done() {}, [Symbol.dispose]() {} }
  if (!terminal.isInteractive) {
    let last = ''
    const line = (text: string) => {
      if (text !== last) terminal.error(text)
      last = text
    }
    return { step: line, note: (text) => terminal.error(text), done: line, [Symbol.dispose]() {} }
  }
  return createMovingLine(terminal, clock)
}

function createMovingLine(terminal: Terminal, clock: Pick<Clock, 'every' | 'monotonic'>): Progress {
  const { style } = terminal
  const startedAt = clock.monotonic()
  let text = ''
  let frame = 0
  let timer: Timer | undefined
  const clear = () => terminal.errorRaw('\r\x1b[K')
  const draw = () => {
    const elapsed = ((clock.monotonic() - startedAt) / 1000).toFixed(1)
    const room = Math.max(20, terminal.columns - 14)
    terminal.errorRaw(`\r\x1b[K${style.cyan(frames[frame++ % frames.length]!)} ${text.slice(0, room)} ${style.dim(`${elapsed}s`)}`)
  }
  const stop = () => {
    if (timer !== undefined) clear()
    timer?.cancel()
    timer = undefined
  }
  return {
    step(next) {
      text = next
      timer ??= clock.every(100, draw, { idle: true })
      draw()
    },
    note(line) {
      if (timer !== undefined) clear()
      terminal.error(line)
      if (timer !== undefined) draw()
    },
    done(line) {
      stop()
      terminal.error(`${style.green('✓')} ${line}`)
    },
    [Symbol.dispose]: stop,
  }
}
