import type { Random } from './system.ts'

export type BackoffOptions = { firstMs: number; maxMs: number; factor?: number }

/** The wait before attempt `attempt` (1 is the first repeat): exponential, half of it random, never above `maxMs`. */
export function backoffMs(attempt: number, options: BackoffOptions, random: Pick<Random, 'fraction'>): number {
  const ceiling = Math.min(options.maxMs, options.firstMs * (options.factor ?? 2) ** (attempt - 1))
  return ceiling * (0.5 + random.fraction() / 2)
}
