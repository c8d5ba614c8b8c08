import { type ConfigSources, type SettingName, settings } from '../app/config.ts'
import type { CommandContext, Option } from './command.ts'

type SettingOption = { type: 'string'; value: string; description: string; complete?: 'files' }

/** The platform's settings as options: names, variables and defaults stand in app/config.ts, which also checks the values. */
export const platformOptions = Object.fromEntries(Object.entries(settings).map(([name, row]) => [name, optionOf(name, row)])) as Record<
  SettingName,
  SettingOption
> satisfies Record<string, Option>

function optionOf(name: string, row: { variable: string; fallback?: string; description: string }): SettingOption {
  const facts = [...(row.fallback ? [`default ${row.fallback}`] : []), row.variable].join('; ')
  return {
    type: 'string',
    value: name === 'data' ? 'FOLDER' : name.split('-').at(-1)!.toUpperCase(),
    description: `${row.description} (${facts})`,
  }
}

/** What readConfig takes, of a command line with the platform's options. */
export function configSources({ host, system }: Pick<CommandContext, 'host' | 'system'>, flags: ConfigSources['flags']): ConfigSources {
  return { flags, environment: host.environment, files: system.files, workingFolder: host.workingFolder }
}
