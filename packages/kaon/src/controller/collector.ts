import type { ControllerDeps } from './controllers.ts'

const graceMs = 3_600_000

/** Removes uploads and artifacts that no function and no revision names. A fresh upload is left alone: its function may be on its way. */
export async function collectUnused(deps: Pick<ControllerDeps, 'caches' | 'blobs' | 'builder' | 'clock'>): Promise<void> {
  const { caches, blobs, builder, clock } = deps
  const holders = [...caches.functions.list(), ...caches.revisions.list()]
  const uploads = new Set(holders.flatMap(({ spec }) => spec.source.upload ?? []))
  for (const { digest, putAt } of await blobs.list()) if (!uploads.has(digest) && clock.now() - putAt > graceMs) await blobs.remove(digest)
  await builder.collect(new Set(caches.revisions.list().flatMap(({ status }) => status?.artifact ?? [])))
}
