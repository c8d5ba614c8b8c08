export type { Context, Logger, Metrics, Trace } from './context.ts'
export type { Event, TriggerInfo } from './event.ts'
export type { FetchContext, FetchHandler, Handler, Init, Result, ResultObject } from './handler.ts'
export { HttpError } from './http-error.ts'
