import { createHash, timingSafeEqual } from 'node:crypto'
import { KaonError } from '../base/errors.ts'
import type { RoutedRule } from '../model/routing-table.ts'

export type ApiKeyRule = Extract<NonNullable<RoutedRule['auth']>, { kind: 'api-key' }>

/**
 * Checks the key that a request carries. Only digests are compared, all of them and in constant time, so that neither the keys nor
 * how many there are can be learned from how long it takes.
 *
 * Throws `unauthorized` when there is no key, when there are two, and when it is none of those allowed.
 */
export function checkApiKey(rule: ApiKeyRule, headers: readonly string[]): void {
  const name = rule.header.toLowerCase()
  const given: string[] = []
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) given.push(headers[i + 1] as string)
  const hint = `Send one of the route's keys in the header '${name}'.`
  if (given.length === 0) throw new KaonError('unauthorized', `The header '${name}' with a key is missing.`, { hint })
  if (given.length > 1) throw new KaonError('unauthorized', `The header '${name}' was sent twice.`, { hint })
  const key = name === 'authorization' ? (given[0] as string).replace(/^Bearer +/i, '') : (given[0] as string)
  const digest = createHash('sha256').update(key, 'latin1').digest()
  let isKnown = false
  for (const allowed of rule.keyDigests) {
    const bytes = Buffer.from(allowed, 'hex')
    if (bytes.length === digest.length && timingSafeEqual(bytes, digest)) isKnown = true
  }
  if (!isKnown) throw new KaonError('unauthorized', `The key in the header '${name}' is not one of this route's.`, { hint })
}
