import { dataFolderOf } from '../app/config.ts'
import { isKaonError, KaonError } from '../base/errors.ts'
import type { CommandContext } from './command.ts'
import { shellWord } from './shell-word.ts'

/** ` --data FOLDER` for commands that are shown to the user; empty where they find this folder by themselves. */
export function dataOption({ host }: Pick<CommandContext, 'host'>, dataFolder: string): string {
  const { environment, workingFolder } = host
  return dataFolder === dataFolderOf({ flags: {}, environment, workingFolder }) ? '' : ` --data ${shellWord(dataFolder)}`
}

/** A `data_locked` error whose hint names the folder, since 'kaon stop' alone would look at another. Other errors are left as they are. */
export function withDataOption(error: unknown, context: Pick<CommandContext, 'host'>, dataFolder: string): unknown {
  if (!isKaonError(error) || error.code !== 'data_locked') return error
  return new KaonError('data_locked', error.message, {
    cause: error,
    hint: `Stop it with 'kaon stop${dataOption(context, dataFolder)}', or choose another folder with --data.`,
  })
}
