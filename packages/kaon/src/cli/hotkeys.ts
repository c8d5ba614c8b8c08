import type { Host } from '../app/host.ts'

type Listeners = { onKey(key: string): void /** Ctrl-C, which is no signal while keys are read. */; interrupt(): void }

/** Calls `onKey` for each key on a terminal, Ctrl-D as `q`; gives what puts the terminal back. Without a terminal nothing is read. */
export function listenForKeys({ stdin }: Pick<Host, 'stdin'>, { onKey, interrupt }: Listeners): () => void {
  if (!stdin.isTTY) return () => {}
  const read = (bytes: Buffer) => {
    for (const key of bytes.toString('utf8')) {
      if (key === '\u0003') interrupt()
      else onKey(key === '\u0004' ? 'q' : key)
    }
  }
  stdin.setRawMode(true)
  stdin.on('data', read)
  stdin.resume()
  return () => {
    stdin.off('data', read)
    stdin.setRawMode(false)
    stdin.pause()
  }
}
