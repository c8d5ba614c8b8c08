import { KaonError } from './errors.ts'

/** `data_full` or `data_read_only` for what a disk answered when it took no more; anything else as it was. */
export function asDiskError(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new KaonError('data_full', 'The disk of the data folder is full.', { hint: 'Free some space and try again.', cause: error })
  if (code === 'EROFS')
    return new KaonError('data_read_only', 'The data folder is on a read-only file system.', {
      hint: 'Choose another folder with --data.',
      cause: error,
    })
  return error
}
