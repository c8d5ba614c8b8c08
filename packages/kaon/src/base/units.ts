const durationUnitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
export const durationPattern = '^(\\d+(\\.\\d+)?(ms|s|m|h|d))+$'

/** Milliseconds of a duration such as `30s`, `1.5h` or `1m30s`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (!new RegExp(durationPattern).test(text)) return undefined
  let totalMs = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    totalMs += Number(amount) * durationUnitMs[unit as keyof typeof durationUnitMs]
  return totalMs
}

/** `parseDuration` for a value that the schema has already checked. */
export function durationMs(text: string): number {
  return parseDuration(text) ?? 0
}

const quantitySuffix: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}
export const quantityPattern = '^\\d+(\\.\\d+)?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$'

/** The number behind a Kubernetes quantity such as `128Mi` (bytes) or `500m` (0.5 of a core); undefined when it is none. */
export function parseQuantity(text: string): number | undefined {
  if (!new RegExp(quantityPattern).test(text)) return undefined
  const [, amount, suffix] = /^([\d.]+)(.*)$/.exec(text) as unknown as [string, string, string]
  return Number(amount) * (quantitySuffix[suffix] as number)
}
