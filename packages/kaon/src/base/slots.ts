/** Lets at most `count` run at a time; the others wait in their order. */
export type Slots = {
  /** Runs `action` when its turn comes. Rejects with the signal's reason when it is aborted while it waits. */
  run<T>(signal: AbortSignal, action: () => Promise<T>): Promise<T>
}

export function createSlots(count: number): Slots {
  let free = count
  const waiting: (() => void)[] = []

  async function take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (free > 0) {
      free--
      return
    }
    const turn = Promise.withResolvers<void>()
    const leave = () => {
      const place = waiting.indexOf(turn.resolve)
      // Its turn may have come in the same tick: then it has the slot, and gives it back when the action ends.
      if (place === -1) return
      waiting.splice(place, 1)
      turn.reject(signal.reason)
    }
    waiting.push(turn.resolve)
    signal.addEventListener('abort', leave, { once: true })
    const settled = () => signal.removeEventListener('abort', leave)
    turn.promise.then(settled, settled)
    await turn.promise
  }

  return {
    async run(signal, action) {
      await take(signal)
      try {
        return await action()
      } finally {
        const next = waiting.shift()
        if (next === undefined) free++
        else next()
      }
    },
  }
}
