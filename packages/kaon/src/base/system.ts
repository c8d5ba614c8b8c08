// What the platform needs of the world. Everything outside `app/` and the adapters gets these as arguments,
// so that one seeded scheduler can stand in for all of them in a simulation.
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import type * as fs from 'node:fs'
import type * as fsPromises from 'node:fs/promises'
import type * as http from 'node:http'
import type * as https from 'node:https'
import type * as net from 'node:net'

export type Timer = { cancel(): void }

export interface Clock {
  /** Wall clock, milliseconds since 1970. For people and records, never for durations. */
  now(): number
  /** Milliseconds on a clock that never goes back. */
  monotonic(): number
  /** Calls once after `delayMs`. With `idle` it does not keep the process alive. */
  after(delayMs: number, action: () => void, options?: { idle?: boolean }): Timer
  /** Calls once at the end of this turn of the event loop, when all that had arrived was read: for gathering what is written into one write. */
  endOfTurn(action: () => void): void
  every(periodMs: number, action: () => void, options?: { idle?: boolean }): Timer
  /** Resolves after `delayMs`; rejects with the signal's reason when it is aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

export interface Random {
  /** A random UUID (version 4). */
  uuid(): string
  bytes(count: number): Buffer
  /** At least 0, less than 1. */
  fraction(): number
}

/** The part of Node's file system that the platform uses. */
export type Files = Pick<
  typeof fsPromises,
  | 'access'
  | 'appendFile'
  | 'chmod'
  | 'copyFile'
  | 'cp'
  | 'lstat'
  | 'mkdir'
  | 'mkdtemp'
  | 'open'
  | 'readdir'
  | 'readFile'
  | 'readlink'
  | 'realpath'
  | 'rename'
  | 'rm'
  | 'stat'
  | 'symlink'
  | 'truncate'
  | 'unlink'
  | 'utimes'
  | 'writeFile'
> &
  Pick<typeof fs, 'createReadStream' | 'createWriteStream' | 'existsSync' | 'watch'>

export interface Network {
  connect: typeof net.connect
  createServer: typeof net.createServer
  createHttpServer: typeof http.createServer
  httpRequest: typeof http.request
  httpsRequest: typeof https.request
  httpAgent(options: http.AgentOptions): http.Agent
  fetch: typeof fetch
}

export interface Processes {
  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess
  /** Sends a signal to a process by its id; false when there is none. */
  kill(pid: number, signal: NodeJS.Signals | 0): boolean
  /** When the process started, in a form that differs for a later process with the same id; undefined when there is none. */
  startTime(pid: number): Promise<string | undefined>
  readonly pid: number
  /** The Node binary that runs the platform. */
  readonly nodePath: string
}

/** All of the world in one argument. Components take the parts that they use: `Pick<System, 'clock' | 'files'>`. */
export type System = { clock: Clock; random: Random; files: Files; network: Network; processes: Processes }

export type { ChildProcess, SpawnOptions } from 'node:child_process'
export type { FileHandle } from 'node:fs/promises'
export type { Agent, ClientRequest, IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http'
export type { Server, Socket } from 'node:net'
