/** Waits until `check` gives something that is not undefined or false; throws with `what` after `deadlineMs`. */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  deadlineMs = 20_000,
): Promise<T> {
  const end = performance.now() + deadlineMs
  let last: unknown
  for (;;) {
    try {
      const result = await check()
      if (result !== undefined && result !== false) return result
    } catch (error) {
      last = error
    }
    if (performance.now() > end) throw new Error(`Waited ${deadlineMs} ms in vain for: ${what}`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
