import { KaonError } from '../base/errors.ts'

/** What one who joins late still gets to read. */
const rememberedLines = 2_000

type Task<T> = {
  result: Promise<T>
  lines: string[]
  listeners: Set<(line: string) => void>
  stop: AbortController
}

export type SharedTasks<T> = {
  /**
   * The result of the task with this key: of the one that runs already, or of `run`. It goes on as long as one of those who wait for it does;
   * each gets all of its log.
   */
  join(
    key: string,
    waiting: { log(line: string): void; signal: AbortSignal },
    run: (log: (line: string) => void, signal: AbortSignal) => Promise<T>,
  ): Promise<T>
}

/** Lets those who want the same at the same time have it from one task. */
export function createSharedTasks<T>(): SharedTasks<T> {
  const tasks = new Map<string, Task<T>>()

  function start(key: string, run: (log: (line: string) => void, signal: AbortSignal) => Promise<T>): Task<T> {
    const stop = new AbortController()
    const task: Task<T> = { result: Promise.resolve() as Promise<T>, lines: [], listeners: new Set(), stop }
    const log = (line: string) => {
      if (task.lines.length < rememberedLines) task.lines.push(line)
      for (const listener of task.listeners) listener(line)
    }
    const forget = () => {
      if (tasks.get(key) === task) tasks.delete(key)
    }
    stop.signal.addEventListener('abort', forget, { once: true })
    tasks.set(key, task)
    task.result = run(log, stop.signal).finally(forget)
    task.result.catch(() => {}) // Those who wait hear of it; when all have left, nobody is to.
    return task
  }

  return {
    async join(key, { log, signal }, run) {
      signal.throwIfAborted()
      const running = tasks.get(key)
      if (running !== undefined) for (const line of running.lines) log(line)
      // The listener of who starts it is there before the first line.
      const listener = (line: string) => log(line)
      const task =
        running ??
        start(key, async (write, stop) => {
          await Promise.resolve()
          return run(write, stop)
        })
      task.listeners.add(listener)
      const left = Promise.withResolvers<never>()
      const leave = () => left.reject(signal.reason)
      signal.addEventListener('abort', leave, { once: true })
      try {
        return await Promise.race([task.result, left.promise])
      } finally {
        signal.removeEventListener('abort', leave)
        task.listeners.delete(listener)
        if (task.listeners.size === 0) task.stop.abort(new KaonError('timed_out', 'Nobody waits for this build any more.'))
      }
    },
  }
}
