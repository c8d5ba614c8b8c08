import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import type { Call } from './call.ts'

/** Knows which call the code that runs belongs to, through everything asynchronous that its handler starts. */
export class CallScope {
  readonly #storage = new AsyncLocalStorage<Call>()
  /** The context of the worker's start: what runs in its scope begins there, and leaves the present one as it was. */
  readonly #outside = new AsyncResource('KaonWorker')

  /** The call that this code runs for; undefined outside of calls. */
  get current(): Call | undefined {
    return this.#storage.getStore()
  }

  /**
   * A function that runs `handler` within its call. `AsyncLocalStorage.run` makes two frames for each call, this one: 45 ns instead of 205
   * (110 by way of `AsyncLocalStorage.snapshot`, which passes its arguments on as lists).
   */
  bind<R>(handler: (call: Call) => R): (call: Call) => R {
    const enter = (call: Call) => {
      this.#storage.enterWith(call)
      return handler(call)
    }
    return (call) => this.#outside.runInAsyncScope(enter, undefined, call)
  }
}
