import type { Host } from '../app/host.ts'
import type { System } from '../base/system.ts'
import type { ApiClient } from './api-client.ts'
import type { Settings } from './settings.ts'
import type { Terminal } from './terminal.ts'

/** One option of a command, as data: it is parsed, checked, explained and completed from here. */
export type Option = {
  type: 'boolean' | 'string' | 'strings' | 'integer' | 'duration'
  short?: string
  /** What stands for the value in the help, as in `FILE`. */
  value?: string
  description: string
  default?: boolean | string | number
  choices?: readonly string[]
  /** The least and the greatest of an integer. */
  range?: readonly [number, number]
  /** The variable that stands in when the option is not given. */
  environment?: `KAON_${string}`
  /** What completes its value. */
  complete?: Completion
}

export type Argument = { description: string; optional?: true; many?: true; choices?: readonly string[]; complete?: Completion }
export type Completion = 'functions' | 'namespaces' | 'contexts' | 'kinds' | 'templates' | 'commands' | 'files'

export type Options = Readonly<Record<string, Option>>
export type Arguments = Readonly<Record<string, Argument>>
export type Example = { does: string; line: string }

type ValueOf<O extends Option> = O['type'] extends 'boolean'
  ? boolean
  : O['type'] extends 'strings'
    ? string[]
    : O['type'] extends 'integer' | 'duration'
      ? O extends { default: number | string }
        ? number
        : number | undefined
      : O extends { default: string }
        ? string
        : string | undefined

/** Values by option name: durations in ms. */
export type OptionValues<O extends Options> = { [Name in keyof O]: ValueOf<O[Name]> }
export type ArgumentValues<A extends Arguments> = {
  [Name in keyof A]: A[Name] extends { many: true } ? string[] : A[Name] extends { optional: true } ? string | undefined : string
}

/** All that a command may touch. Whatever is costly to load comes by a call. */
export type CommandContext = {
  host: Host
  terminal: Terminal
  settings: Settings
  /** Aborted when the user interrupts. */
  signal: AbortSignal
  /** What a Ctrl-C does that arrives as a key: aborts `signal`, and the second time ends the process. */
  interrupt(): void
  system: System
  api: ApiClient
}

export type Invocation<A extends Arguments, O extends Options> = CommandContext & { args: ArgumentValues<A>; options: OptionValues<O> }

/** A command is data. `run` gives the exit code (0 when it returns nothing) or throws an error of the table. */
export type Command<A extends Arguments = Arguments, O extends Options = Options> = {
  name: string
  /** One paragraph below the usage line. */
  description: string
  arguments: A
  options: O
  examples: readonly [Example, ...Example[]]
  run(invocation: Invocation<A, O>): Promise<number | undefined>
}

/** A command whose own types are forgotten: what the registry holds. */
// biome-ignore lint/suspicious/noExplicitAny: a parameter type cannot be widened any other way
export type AnyCommand = Command<any, any>

export function defineCommand<const A extends Arguments, const O extends Options>(command: Command<A, O>): Command<A, O> {
  return command
}
