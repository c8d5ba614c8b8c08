/** RFC 3339 in UTC with milliseconds, as in `2026-11-21T11:33:37.000Z`. */
export function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString()
}

/** RFC 3339 without fractions: what Kubernetes writes into metadata and conditions. */
export function kubernetesTime(epochMs: number): string {
  return `${isoTime(epochMs).slice(0, 19)}Z`
}

/** Milliseconds since 1970 of an RFC 3339 time; NaN when it is none. */
export function parseTime(text: string): number {
  return Date.parse(text)
}
