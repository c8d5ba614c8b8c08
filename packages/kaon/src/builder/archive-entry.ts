/** One entry as the archive names it: nothing of it is to be believed before `ArchiveGuard` has seen it. */
export type ArchiveEntry = { name: string; mode: number } & (
  | { kind: 'file'; content: AsyncIterable<Uint8Array> }
  | { kind: 'directory' }
  | { kind: 'symlink'; target: string }
  /** Hard links, devices, pipes: what a source has no use for. */
  | { kind: 'other'; what: string }
)

export const archiveLimits = {
  packedBytes: 100_000_000,
  unpackedBytes: 500_000_000,
  /** Unpacked to packed, from `ratioFromBytes` on. */
  ratio: 100,
  ratioFromBytes: 10_000_000,
  entries: 20_000,
  pathBytes: 1_024,
  depth: 64,
} as const
