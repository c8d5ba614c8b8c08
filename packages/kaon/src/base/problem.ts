import { asKaonError, type ErrorCode, errorTable, type FieldError } from './errors.ts'

/** RFC 9457 problem details with our stable code. */
export type Problem = {
  type: string
  title: string
  status: number
  detail: string
  code: ErrorCode
  hint?: string
  errors?: FieldError[]
  instance?: string
}

export const problemContentType = 'application/problem+json'

/** Problem+json of anything thrown. `instance` is the request's id where there is one. */
export function toProblem(thrown: unknown, instance?: string): Problem {
  const error = asKaonError(thrown)
  const row = errorTable[error.code]
  return {
    type: `https://kaon.dev/errors/${error.code}`,
    title: row.title,
    status: error.status,
    detail: error.message,
    code: error.code,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.fields === undefined ? {} : { errors: error.fields }),
    ...(instance === undefined ? {} : { instance }),
  }
}
