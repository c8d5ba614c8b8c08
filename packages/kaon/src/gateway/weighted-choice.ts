/** Which of several weighted choices a draw (at least 0, less than 1) falls on; undefined when none has weight. */
export function chooseWeighted<T extends { weight: number }>(choices: readonly T[], draw: number): T | undefined {
  const only = choices[0]
  if (choices.length === 1) return only !== undefined && only.weight > 0 ? only : undefined
  let total = 0
  for (const choice of choices) total += choice.weight
  let left = draw * total
  for (const choice of choices) {
    if (left < choice.weight) return choice
    left -= choice.weight
  }
  // Rounding can leave a draw close to 1 with nothing below it.
  return choices.findLast(({ weight }) => weight > 0)
}

/** Draws for balancing and splitting (xorshift32): fast, and nothing that an attacker could gain by guessing it. */
export function createDraw(seed: number): () => number {
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
