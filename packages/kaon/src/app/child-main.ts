import { createInterface } from 'node:readline'
import type { Log } from '../base/log.ts'
import { toProblem } from '../base/problem.ts'
import type { System } from '../base/system.ts'
import type { PlatformConfig } from './config.ts'
import { placesOf } from './data-folder.ts'
import { createPlatformLog } from './platform-log.ts'
import { createSystem } from './system.ts'

/** First line that the launcher writes to a child. */
export type ChildStart = {
  config: PlatformConfig
  gatewayUrl: string
  version: string
  /** The file of the store's thread, where it was bundled. */
  storeThread?: string
}
/** First line that a child writes back. */
export type ChildAnswer = { kind: 'ready'; port: number } | { kind: 'failed'; code: string; message: string; hint?: string }

/** `stopped`: by the launcher, for good. `abandoned`: the launcher vanished, and replicas are left for the next one. */
export type ChildEnd = 'stopped' | 'abandoned'
export type Running = { port: number; stop(end: ChildEnd): Promise<void> }

/** A child dies with what it was doing rather than hang: replicas and store stand that. */
const stopWithinMs: Record<ChildEnd, number> = { stopped: 120_000, abandoned: 15_000 }

/** The life of one child of the launcher: told over its standard input what to be, it says when it is ready, and ends when asked or when the launcher is gone. */
export async function runChild(
  component: 'control-plane' | 'gateway',
  start: (told: ChildStart, system: System, log: Log) => Promise<Running>,
): Promise<void> {
  const lines = createInterface({ input: process.stdin })
  const { value } = await lines[Symbol.asyncIterator]().next()
  if (value === undefined) process.exit(1)
  const told = JSON.parse(value) as ChildStart
  const places = placesOf(told.config)
  const file = component === 'gateway' ? places.gatewayLog : places.controlPlaneLog
  const log = createPlatformLog({ file, level: told.config.logLevel, component, showWarning: (line) => process.stderr.write(`${line}\n`) })
  const answer = (message: ChildAnswer) => process.stdout.write(`${JSON.stringify(message)}\n`)
  // Nobody may be reading any more.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)

  let running: Running | undefined
  let isEnding = false
  const end = async (how: ChildEnd) => {
    if (isEnding) return
    isEnding = true
    setTimeout(() => process.exit(1), stopWithinMs[how]).unref()
    log.info('Stopping.', { how })
    await running?.stop(how).catch((error: unknown) => log.error('Stopping failed.', { error }))
    process.exit(0)
  }
  process.on('SIGTERM', () => void end('stopped'))
  // A Ctrl-C in a terminal goes to every process there; the launcher decides what it means.
  process.on('SIGINT', () => undefined)
  process.on('SIGHUP', () => undefined)
  process.stdin.on('end', () => void end('abandoned'))
  process.on('uncaughtException', (error) => {
    log.error('An error that nobody caught ended the process.', { error })
    process.exit(1)
  })
  try {
    running = await start(told, createSystem(), log)
    log.info('Ready.', { port: running.port, pid: process.pid })
    answer({ kind: 'ready', port: running.port })
  } catch (error) {
    const { code, detail, hint } = toProblem(error)
    log.error('Starting failed.', { error })
    answer({ kind: 'failed', code, message: detail, ...(hint === undefined ? {} : { hint }) })
    process.exitCode = 1
    process.stdin.destroy()
    setTimeout(() => process.exit(1), 100)
  }
}
