import type { Host } from '../app/host.ts'

/** Calls `onKey` for each key on a terminal, Ctrl-C as `q`; gives what puts the terminal back. Without a terminal nothing is read. */
export function listenForKeys({ stdin }: Pick<Host, 'stdin'>, onKey: (key: string) => void): () => void {
  if (!stdin.isTTY) return () => {}
  const read = (bytes: Buffer) => {
    for (const key of bytes.toString('utf8')) onKey(key === '\u0003' || key === '\u0004' ? 'q' : key)
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
