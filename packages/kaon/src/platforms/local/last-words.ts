import type { Files } from '../../base/system.ts'

const tailBytes = 64 * 1024

/** The line in which V8 or Node says why it ended the process. Nothing else of the output: that may hold secrets, and its supervisor has logged it. */
export async function readLastWords(files: Pick<Files, 'open'>, path: string): Promise<string | undefined> {
  const handle = await files.open(path, 'r').catch(() => undefined)
  if (handle === undefined) return undefined
  try {
    const { size } = await handle.stat()
    const buffer = Buffer.alloc(Math.min(size, tailBytes))
    await handle.read(buffer, 0, buffer.length, Math.max(0, size - tailBytes))
    const line = buffer
      .toString('utf8')
      .split('\n')
      .findLast((text) => /^(?:FATAL ERROR: |# Fatal error|Fatal error |Kaon: )/.test(text))
    return line?.slice(0, 300)
  } finally {
    await handle.close()
  }
}
