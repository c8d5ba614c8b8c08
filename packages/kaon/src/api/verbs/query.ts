import { badRequest } from '../object-errors.ts'

/** A switch of the query, as in `watch=1`: also `true`, and given without a value. */
export function readFlag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name)
  return value === '' || value === '1' || value === 'true'
}

/** A whole number of the query, at least 0; undefined when it is not given. Throws `invalid_request`. */
export function readCount(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name) ?? ''
  if (value === '') return undefined
  if (!/^\d{1,9}$/.test(value)) throw badRequest(`${name} must be a whole number, not '${value.slice(0, 50)}'.`)
  return Number(value)
}

/** Whether nothing is to be written. Throws `invalid_request` for anything but `dryRun=All`. */
export function readDryRun(query: URLSearchParams): boolean {
  const values = query.getAll('dryRun').filter((value) => value !== '')
  const unknown = values.find((value) => value !== 'All')
  if (unknown !== undefined) throw badRequest(`dryRun must be All, not '${unknown.slice(0, 50)}'.`)
  return values.length > 0
}
