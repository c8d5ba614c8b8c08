import { createTarDecoder } from 'modern-tar'
import type { ArchiveEntry } from './archive-entry.ts'

/** The entries of a tar, in order; the content of one must be read before the next is asked for. */
export async function* tarEntries(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ArchiveEntry> {
  const entries = ReadableStream.from(bytes).pipeThrough(createTarDecoder({ strict: true }))
  for await (const { header, body } of entries) {
    const { name } = header
    const mode = header.mode ?? 0o644
    if (header.type === 'directory') yield { name, mode, kind: 'directory' }
    else if (header.type === 'symlink') yield { name, mode, kind: 'symlink', target: header.linkname ?? '' }
    else if (header.type === 'file' || header.type === undefined) yield { name, mode, kind: 'file', content: body }
    else yield { name, mode, kind: 'other', what: header.type === 'link' ? 'hard link' : header.type.replace('-', ' ') }
  }
}
