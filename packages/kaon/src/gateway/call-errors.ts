import { KaonError } from '../base/errors.ts'

export function bodyTooLarge(limitBytes: number): KaonError {
  return new KaonError('body_too_large', `The body is larger than ${limitBytes} bytes.`)
}

export function workerLost(message: string): KaonError {
  return new KaonError('worker_lost', message, { hint: 'Call again if the call may run twice.' })
}

export function handlerTimeout(timeoutMs: number): KaonError {
  return new KaonError('handler_timeout', `The function did not answer within ${Math.round(timeoutMs)} ms.`)
}

export function bodyLate(idleMs: number): KaonError {
  return new KaonError('request_timeout', `No more of the body came for ${idleMs} ms.`)
}
