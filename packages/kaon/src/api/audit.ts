import { asKaonError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'

export type AuditedAction = { verb: string; resource: string; namespace?: string | undefined; name?: string | undefined; dryRun?: boolean }

/** Does it and writes one line about it: who did what to which object, and how it ended. Never what was written, which may be a secret. */
export async function audited<T>(log: Log, action: AuditedAction, run: () => Promise<T>): Promise<T> {
  const { dryRun, ...fields } = action
  const line = (outcome: string) => log.info('audit', { ...fields, ...(dryRun === true ? { dryRun } : {}), outcome })
  try {
    const result = await run()
    line('done')
    return result
  } catch (error) {
    line(asKaonError(error).code)
    throw error
  }
}
