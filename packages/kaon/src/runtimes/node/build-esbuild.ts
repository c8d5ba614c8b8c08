import type { BuildOptions, BuildResult } from 'esbuild'
import type { Clock, Timer } from '../../base/system.ts'

/** esbuild's service is a process of some 15 MiB: it stays while builds come and goes this long after the last. */
const idleMs = 30_000

export type BundlerOptions = BuildOptions & { write: false; metafile: true }

export type Bundler = AsyncDisposable & {
  /** As esbuild's own `build`; starts its service when there is none. */
  build(options: BundlerOptions): Promise<BuildResult<BundlerOptions>>
}

/** esbuild with its service's life bound to its use. It is loaded at the first build, so that a platform that builds nothing does not pay for it. */
export function createBundler({ clock }: { clock: Pick<Clock, 'after'> }): Bundler {
  let running = 0
  let idle: Timer | undefined

  async function stop(): Promise<void> {
    idle = undefined
    if (running === 0) await (await import('esbuild')).stop()
  }

  return {
    async build(options) {
      idle?.cancel()
      idle = undefined
      running++
      try {
        const esbuild = await import('esbuild')
        return await esbuild.build(options)
      } finally {
        running--
        if (running === 0) idle = clock.after(idleMs, () => void stop(), { idle: true })
      }
    },
    async [Symbol.asyncDispose]() {
      if (idle === undefined) return
      idle.cancel()
      await stop()
    },
  }
}
