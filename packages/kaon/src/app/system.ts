import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import * as fs from 'node:fs'
import * as fsPromises from 'node:fs/promises'
import * as http from 'node:http'
import * as https from 'node:https'
import * as net from 'node:net'
import { promisify } from 'node:util'
import type { Clock, Processes, Random, System } from '../base/system.ts'
import { spawn } from './spawn.ts'

function createClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(delayMs, action, options) {
      const timer = setTimeout(action, delayMs)
      if (options?.idle) timer.unref()
      return { cancel: () => clearTimeout(timer) }
    },
    endOfTurn(action) {
      setImmediate(action)
    },
    every(periodMs, action, options) {
      const timer = setInterval(action, periodMs)
      if (options?.idle) timer.unref()
      return { cancel: () => clearInterval(timer) }
    },
    sleep(delayMs, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const stop = () => {
          clearTimeout(timer)
          reject(signal?.reason)
        }
        const timer = setTimeout(() => {
          signal?.removeEventListener('abort', stop)
          resolve()
        }, delayMs)
        signal?.addEventListener('abort', stop, { once: true })
      })
    },
  }
}

const random: Random = {
  uuid: () => randomUUID(),
  bytes: (count) => randomBytes(count),
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
}

/** From /proc where there is one (Linux), else from `ps` (macOS). */
async function startTime(pid: number): Promise<string | undefined> {
  try {
    const stat = await fsPromises.readFile(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    if (fs.existsSync('/proc/self/stat')) return undefined
    try {
      const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)])
      return stdout.trim() || undefined
    } catch {
      return undefined
    }
  }
}

const processes: Processes = {
  spawn,
  kill(pid, signal) {
    try {
      return process.kill(pid, signal)
    } catch {
      return false
    }
  },
  startTime,
  pid: process.pid,
  nodePath: process.execPath,
}

/** The real world. Only `app/` makes it; everything below gets it as an argument. */
export function createSystem(): System {
  return {
    clock: createClock(),
    random,
    files: {
      ...fsPromises,
      createReadStream: fs.createReadStream,
      createWriteStream: fs.createWriteStream,
      existsSync: fs.existsSync,
      watch: fs.watch,
    },
    network: {
      connect: net.connect,
      createServer: net.createServer,
      createHttpServer: http.createServer,
      httpRequest: http.request,
      httpsRequest: https.request,
      httpAgent: (options) => new http.Agent(options),
      fetch: (...args) => fetch(...args),
    },
    processes,
  }
}
