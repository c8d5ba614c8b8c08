import { randomBytes } from 'node:crypto'
import type { Trace } from '@kaon/sdk'

const traceparentPattern = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/

/** W3C trace context (level 1): the caller's when it is valid, else a new, unsampled one. */
export function traceOf(traceparent: string | undefined, tracestate: string | undefined): Trace {
  if (traceparent !== undefined && traceparentPattern.test(traceparent)) return { traceparent, tracestate }
  return { traceparent: `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-00`, tracestate: undefined }
}
