import type { ErrorCode } from '../base/errors.ts'

/** What a script can tell from the exit code. Listed in `kaon help` and in the docs. */
export const exitCodes = {
  fine: 0,
  failed: 1,
  usedWrongly: 2,
  notFound: 3,
  notAllowed: 4,
  conflict: 5,
  timedOut: 6,
  functionFailed: 7,
  unreachable: 8,
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const byError: Partial<Record<ErrorCode, ExitCode>> = {
  usage: exitCodes.usedWrongly,
  not_found: exitCodes.notFound,
  route_not_found: exitCodes.notFound,
  unauthorized: exitCodes.notAllowed,
  forbidden: exitCodes.notAllowed,
  host_refused: exitCodes.notAllowed,
  origin_refused: exitCodes.notAllowed,
  conflict: exitCodes.conflict,
  already_exists: exitCodes.conflict,
  timed_out: exitCodes.timedOut,
  handler_error: exitCodes.functionFailed,
  handler_timeout: exitCodes.functionFailed,
  worker_lost: exitCodes.functionFailed,
  response_invalid: exitCodes.functionFailed,
  server_unreachable: exitCodes.unreachable,
}

export function exitCodeOf(code: ErrorCode): ExitCode {
  return byError[code] ?? exitCodes.failed
}
