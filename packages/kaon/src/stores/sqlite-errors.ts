import { isKaonError, KaonError } from '../base/errors.ts'
import type { Refusal } from './sqlite-messages.ts'

/** Primary result codes of SQLite (https://www.sqlite.org/rescode.html); the low byte of an extended one. */
const resultCode = { busy: 5, locked: 6, readOnly: 8, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const

/** What a failure of SQLite means for the platform, as one of our errors. */
export function refusalOf(thrown: unknown, file: string): Refusal {
  if (isKaonError(thrown))
    return { code: thrown.code, message: thrown.message, ...(thrown.hint === undefined ? {} : { hint: thrown.hint }) }
  const text = thrown instanceof Error && 'errstr' in thrown ? String(thrown.errstr) : 'an error that SQLite does not name'
  switch (primaryCode(thrown)) {
    case resultCode.full:
      return {
        code: 'data_full',
        message: `The store '${file}' cannot be written: its disk or its limit is full.`,
        hint: 'Free some space; writing goes on by itself.',
      }
    case resultCode.readOnly:
    case resultCode.cannotOpen:
      return {
        code: 'data_read_only',
        message: `The store '${file}' cannot be opened for writing (${text}).`,
        hint: 'Check that the folder exists and that this user may write there.',
      }
    case resultCode.busy:
    case resultCode.locked:
      return {
        code: 'data_locked',
        message: `The store '${file}' is in use by another process.`,
        hint: 'Stop the other platform, or use another data folder.',
      }
    case resultCode.corrupt:
    case resultCode.notADatabase:
      return {
        code: 'store_unavailable',
        message: `The store '${file}' is damaged (${text}).`,
        hint: 'Put back a backup of the data folder, or move the file away to start empty.',
      }
    default:
      return {
        code: 'store_unavailable',
        message: `The store '${file}' failed (${text}).`,
        hint: 'It is opened again by itself; see the platform log if it goes on.',
      }
  }
}

/** True where nothing was lost: the write had no room, and what stood there before can still be read. */
export function leavesDataReadable(thrown: unknown): boolean {
  return primaryCode(thrown) === resultCode.full
}

export function errorOf(refusal: Refusal): KaonError {
  return new KaonError(refusal.code, refusal.message, refusal.hint === undefined ? {} : { hint: refusal.hint })
}

function primaryCode(thrown: unknown): number | undefined {
  return thrown instanceof Error && 'errcode' in thrown && typeof thrown.errcode === 'number' ? thrown.errcode & 0xff : undefined
}
