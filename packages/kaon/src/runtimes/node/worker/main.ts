import { isKaonError } from '../../../base/errors.ts'
import { isoTime } from '../../../base/time.ts'
import type { WorkerExit } from '../../worker.ts'
import { heartbeatMs, machineNow, type WorkerMemory } from '../worker-memory.ts'
import type { ControlPort, ToWorker, WorkerBoot } from '../worker-messages.ts'
import { BackgroundWork } from './background-work.ts'
import type { Call } from './call.ts'
import { CallContext, type WorkerScope } from './call-context.ts'
import { CallEvent } from './call-event.ts'
import { CallRunner } from './call-runner.ts'
import { CallScope } from './call-scope.ts'
import { captureOutput } from './capture-output.ts'
import { Counters } from './counters.ts'
import { CustomMetrics } from './custom-metrics.ts'
import { fetchHandler } from './fetch-handler.ts'
import { findHandler, type LoadedHandler } from './find-handler.ts'
import { type Listener, listenFrames } from './frame-server.ts'
import { listenHttp } from './http-front.ts'
import { createInvoker } from './invoke.ts'
import { loadArtifact, startFailed } from './load-artifact.ts'
import { LogQueue } from './log-queue.ts'
import { plainError } from './plain-fields.ts'
import { maxBodyBytes } from './request-body.ts'
import { useSourceStacks } from './source-stacks.ts'

/** How long a worker that was drained may take to hand its last answers to the kernel. */
const lastWriteMs = 1_000

/** Runs a node worker: loads the handler, serves calls, ends when it is told to. The same for a thread and a process. */
export async function runWorker(boot: WorkerBoot, port: ControlPort, memory: WorkerMemory): Promise<void> {
  const startedAt = machineNow()
  const sinceStart = () => Math.round((machineNow() - startedAt) * 10) / 10
  memory.beat(startedAt)
  const scope = new CallScope()
  const logs = createLogs(boot, port)
  const flushOutput = captureOutput(scope, logs)
  const background = new BackgroundWork(logs, boot.assignment.timeoutMs)
  const counters = new Counters(memory.counters, startedAt)
  const worker = createScope(boot, logs, background)
  const end = watchTheEnd(port, logs, flushOutput)
  setInterval(() => {
    memory.beat(machineNow())
    counters.integrate(machineNow())
    flushOutput()
  }, heartbeatMs).unref()
  port.onMessage((message) => onEarlyMessage(message, logs, worker, port))
  useSourceStacks(boot.assignment.artifactFolder)
  try {
    const exported = await loadArtifact(boot.assignment.artifactFolder, boot.manifest)
    const handler = findHandler(exported, boot.manifest.exportName, boot.manifest.handlerFile)
    const loadedMs = sinceStart()
    await initialise(handler, boot, worker)
    const initialisedMs = sinceStart()
    const runner = createRunner(handler, { boot, worker, scope, counters, logs, memory })
    const listening = await listen(handler, { boot, runner, counters, memory })
    port.onMessage((message) => {
      if (message.kind === 'drain')
        void runner
          .drain()
          .then(() => background.done())
          .then(() => Promise.race([listening.close(), new Promise((late) => setTimeout(late, lastWriteMs))]))
          .then(() => end('stopped', 'It was drained.'))
    })
    port.post({
      kind: 'ready',
      steps: { loadedMs, initialisedMs, readyMs: sinceStart() },
      ...(listening.httpPort === undefined ? {} : { httpPort: listening.httpPort }),
    })
  } catch (error) {
    reportFailure(error, port, logs)
    end('crashed', 'It did not start.')
  }
}

function createLogs(boot: WorkerBoot, port: ControlPort): LogQueue {
  const post: ConstructorParameters<typeof LogQueue>[0]['post'] = (lines) => port.post({ kind: 'log', lines })
  return new LogQueue({ post, afterTick: setImmediate, timestamp: () => isoTime(Date.now()) }, boot.assignment.logLevel)
}

function createScope(boot: WorkerBoot, logs: LogQueue, background: BackgroundWork): WorkerScope & { metrics: CustomMetrics } {
  const { assignment, index } = boot
  return {
    namespace: assignment.namespace,
    function: assignment.function,
    revision: assignment.revision,
    index,
    secrets: Object.freeze({ ...assignment.secrets }),
    userData: {},
    logs,
    metrics: new CustomMetrics({ worker: String(index) }, (msg) => logs.add({ level: 'warn', msg, stream: 'platform' })),
    invoker: createInvoker(assignment.gatewaySocket, assignment.namespace),
    now: machineNow,
    epochNow: () => Date.now(),
    waitUntil: (promise, requestId) => background.add(promise, requestId),
  }
}

function onEarlyMessage(message: ToWorker, logs: LogQueue, worker: { metrics: CustomMetrics }, port: ControlPort): void {
  if (message.kind === 'log-level') logs.setLevel(message.level)
  else if (message.kind === 'logged') logs.acknowledged(message.lines)
  else if (message.kind === 'metrics') port.post({ kind: 'metrics', id: message.id, text: worker.metrics.text() })
}

async function initialise(handler: LoadedHandler, boot: WorkerBoot, worker: WorkerScope): Promise<void> {
  if (handler.init === undefined) return
  const never = new AbortController()
  const deadlineAt = machineNow() + boot.assignment.timeoutMs
  const context = new CallContext({ requestId: '', signal: never.signal, deadlineAt, header: () => undefined }, worker)
  try {
    await handler.init(context)
  } catch (cause) {
    throw startFailed(`'init' of '${boot.manifest.handlerFile}' failed`, cause)
  }
}

type RunnerParts = {
  boot: WorkerBoot
  worker: WorkerScope
  scope: CallScope
  counters: Counters
  logs: LogQueue
  memory: WorkerMemory
}

function createRunner(handler: LoadedHandler, parts: RunnerParts): CallRunner {
  const { boot, worker, scope, counters, logs, memory } = parts
  const { namespace, function: name, concurrency, timeoutMs } = boot.assignment
  const origin = { source: `/fn/${namespace}/${name}`, streamBody: handler.streamBody, epochNow: worker.epochNow, now: worker.now }
  const target = handler.target as (event: CallEvent, context: CallContext) => unknown
  const run =
    handler.kind === 'fetch'
      ? fetchHandler(handler.target as Parameters<typeof fetchHandler>[0], process.env as Record<string, string>, worker)
      : (call: Call) => target(new CallEvent(call, origin), new CallContext(call, worker))
  return new CallRunner({
    handler: scope.bind(run),
    counters,
    logs,
    concurrency,
    timeoutMs,
    now: machineNow,
    after: (delayMs, action) => void setTimeout(action, delayMs),
    onEarliest: (at) => {
      memory.deadlineAt = at
    },
  })
}

type ListenParts = { boot: WorkerBoot; runner: CallRunner; counters: Counters; memory: WorkerMemory }

async function listen(handler: LoadedHandler, { boot, runner, counters, memory }: ListenParts): Promise<Listener & { httpPort?: number }> {
  const { streamBody } = handler
  const maxWaitingBytes = Math.max(2 * maxBodyBytes, boot.assignment.memoryBytes)
  const frames = await listenFrames(
    { runner, memory, counters, streamBody, saysStarted: boot.form === 'process', maxWaitingBytes },
    boot.socket,
  )
  if (boot.http === undefined) return frames
  const http = await listenHttp({ runner, counters, streamBody }, boot.http)
  return { close: () => Promise.all([frames.close(), http.close()]).then(() => undefined), httpPort: http.port }
}

/** Says the last word, whichever way the worker ends: told to, by an error that nobody caught, or by `process.exit()`. */
function watchTheEnd(port: ControlPort, logs: LogQueue, flushOutput: () => void): (cause: WorkerExit['cause'], message: string) => void {
  let isEnding = false
  const lastWord = (cause: WorkerExit['cause'], message: string) => {
    if (isEnding) return
    isEnding = true
    flushOutput()
    logs.flush()
    port.post({ kind: 'ending', cause, message })
  }
  process.on('exit', (code) => lastWord('exited', `The handler called process.exit(${code}).`))
  process.on('uncaughtException', (error: unknown, origin) => {
    const what =
      origin === 'unhandledRejection' ? 'A promise was rejected and nobody handled it' : 'An error was thrown and nobody caught it'
    const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    logs.add({
      level: 'error',
      msg: `${what}: ${said}`,
      stream: 'platform',
      ...(error instanceof Error ? { fields: plainError(error) } : {}),
    })
    // A function that handles such errors itself keeps its worker, as it would keep its process in Node.
    if (process.listenerCount('uncaughtException') > 1) return
    lastWord('crashed', `${what}: ${said}`)
    process.exit(1)
  })
  return (cause, message) => {
    lastWord(cause, message)
    process.exit(cause === 'stopped' ? 0 : 1)
  }
}

function reportFailure(error: unknown, port: ControlPort, logs: LogQueue): void {
  const known = isKaonError(error) ? error : startFailed('The worker did not start', error)
  const told = ['handler_missing', 'handler_invalid', 'port_in_use'] as const
  const code = told.find((each) => each === known.code) ?? 'start_failed'
  const fields = known.cause instanceof Error ? { fields: plainError(known.cause) } : {}
  logs.add({ level: 'error', msg: known.message, stream: 'platform', ...fields })
  port.post({ kind: 'failed', code, message: known.message, ...(known.hint === undefined ? {} : { hint: known.hint }) })
}
