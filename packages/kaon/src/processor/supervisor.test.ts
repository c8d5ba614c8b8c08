import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { KaonError } from '../base/errors.ts'
import { JsonLineDecoder } from '../base/json-lines.ts'
import type { ReplicaAssignment } from '../model/assignment.ts'
import type { FromSupervisor } from '../model/link-protocol.ts'
import {
  durationBucketsSeconds,
  type StartWorker,
  WorkerCounter,
  type WorkerExit,
  type WorkerHandle,
  type WorkerOptions,
} from '../runtimes/worker.ts'
import { replicaMetrics } from './metrics.ts'
import { RotatingFile } from './rotating-file.ts'
import { Supervisor } from './supervisor.ts'

const system = createSystem()

/** A worker of which the test decides what it does. */
class FakeWorker implements WorkerHandle {
  readonly options: WorkerOptions
  readonly #ready = Promise.withResolvers<{ loadedMs: number }>()
  readonly #exited = Promise.withResolvers<WorkerExit>()
  readonly ready = this.#ready.promise
  readonly exited = this.#exited.promise
  readonly counters = new Uint32Array(WorkerCounter.firstBucket + durationBucketsSeconds.length + 1)
  overdue = 0
  isDraining = false
  isStuck = false

  constructor(options: WorkerOptions, start: 'ready' | KaonError) {
    this.options = options
    if (start === 'ready') this.#ready.resolve({ loadedMs: 1 })
    else {
      options.onLog([{ ts: 't', level: 'error', msg: 'could not reach top-secret-value' }])
      this.#ready.reject(start)
    }
  }

  lastStarted = () => ({ 1: this.options.generation * 10 })
  overdueMs = () => this.overdue
  customMetrics = async () => '# TYPE jobs counter\njobs{kind="a"} 3\nkaon_own 1\n'
  setLogLevel = () => undefined
  drain() {
    this.isDraining = true
  }
  die(cause: WorkerExit['cause'], message: string) {
    this.#exited.resolve({ cause, message })
  }
  async terminate(cause: WorkerExit['cause'], message: string) {
    if (!this.isStuck) this.die(cause, message)
  }
}

async function setUp(t: TestContext, overrides: Partial<ReplicaAssignment> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'kaon-s-'))
  await mkdir(join(folder, 'artifact/files/data'), { recursive: true })
  await writeFile(join(folder, 'artifact/files/data/own.txt'), 'own')
  const manifest = {
    version: 1,
    digest: '',
    runtime: 'node',
    entry: 'x',
    format: 'commonjs',
    exportName: 'default',
    handlerFile: 'x',
    filesFolder: 'files',
  }
  await writeFile(join(folder, 'artifact/artifact.json'), JSON.stringify(manifest))
  const assignment: ReplicaAssignment = {
    namespace: 'default',
    function: 'hello',
    functionUid: 'f',
    revision: 'hello-00001',
    revisionUid: 'r',
    runtime: 'node',
    artifactFolder: join(folder, 'artifact'),
    env: { A: 'b' },
    secrets: { 'api.key': 'top-secret-value' },
    files: [],
    workers: 1,
    isolation: 'thread',
    concurrency: 2,
    timeoutMs: 1_000,
    memoryBytes: 2 ** 27,
    logLevel: 'info',
    logFolder: folder,
    gatewaySocket: '',
    ...overrides,
  }
  const workers: FakeWorker[] = []
  const starts: ('ready' | KaonError)[] = []
  const startWorker: StartWorker = (options) => {
    const worker = new FakeWorker(options, starts.shift() ?? 'ready')
    workers.push(worker)
    return worker
  }
  const memory = { bytes: 2 ** 20 }
  const supervisor = new Supervisor({
    ...system,
    id: 'abcdefghij',
    runFolder: folder,
    scratchFolder: join(folder, 'scratch'),
    startWorker,
    openLog: async () => new RotatingFile(system.files, { path: join(folder, 'log.jsonl') }),
    memoryBytes: () => memory.bytes,
    capturesOutput: false,
  })
  t.after(async () => {
    await supervisor.drain(0)
    await rm(folder, { recursive: true, force: true })
  })
  return { folder, assignment, supervisor, workers, starts, memory, log: () => readFile(join(folder, 'log.jsonl'), 'utf8') }
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 5_000
  while (!(await condition())) {
    if (Date.now() > deadline) assert.fail(`it did not come to this within 5 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function link(t: TestContext, path: string): FromSupervisor[] {
  const messages: FromSupervisor[] = []
  const decoder = new JsonLineDecoder()
  const socket = connect(path).on('data', (chunk: Buffer) => messages.push(...(decoder.push(chunk) as FromSupervisor[])))
  t.after(() => socket.destroy())
  return messages
}

test('a replica gives its handler an environment, files and links to the author’s files, and tells gateways where the workers are', async (t) => {
  const contentBase64 = Buffer.from('{}').toString('base64')
  const files = ['data/x.json', '/etc/app/y.json'].map((path) => ({ path, contentBase64 }))
  const { assignment, supervisor, workers, folder } = await setUp(t, { workers: 2, files })
  const { steps } = await supervisor.start(assignment)
  assert.equal(supervisor.report.phase, 'ready')
  assert.ok(steps.readyMs !== undefined)
  const scratch = join(folder, 'scratch')
  assert.deepEqual(workers[0]?.options.assignment.env, {
    A: 'b',
    K_SERVICE: 'hello',
    K_REVISION: 'hello-00001',
    K_CONFIGURATION: 'hello',
    KAON_NAMESPACE: 'default',
    KAON_FILES: join(scratch, 'files'),
  })
  assert.equal(await readFile(join(scratch, 'work/data/x.json'), 'utf8'), '{}')
  assert.equal(await readFile(join(scratch, 'work/data/own.txt'), 'utf8'), 'own')
  assert.equal(await readFile(join(scratch, 'files/etc/app/y.json'), 'utf8'), '{}')
  const messages = link(t, supervisor.report.link as string)
  await until(() => messages.length === 2, 'the link says hello and the workers')
  assert.deepEqual(messages[0], { kind: 'hello', replica: 'abcdefghij', revisionUid: 'r', version: 1 })
  assert.deepEqual(messages[1]?.kind === 'workers' && messages[1].workers.map(({ index, generation }) => [index, generation]), [
    [0, 1],
    [1, 1],
  ])
})

for (const path of ['../x', '/../x', 'a/../../x', '', '/', 'a\0b'])
  test(`a file with the path ${JSON.stringify(path)} fails the start and is not written`, async (t) => {
    const { assignment, supervisor } = await setUp(t, { files: [{ path, contentBase64: '' }] })
    await assert.rejects(supervisor.start(assignment), { code: 'start_failed' })
    assert.equal(supervisor.report.phase, 'failed')
  })

test('a worker that will not start fails the replica with its code, its message, its hint and the last lines of the log', async (t) => {
  const { assignment, supervisor, starts } = await setUp(t)
  starts.push(new KaonError('handler_invalid', "The export 'default' is not a function.", { hint: 'Export one.' }))
  const started = assert.rejects(supervisor.start(assignment), { code: 'handler_invalid' })
  await started
  assert.deepEqual(await supervisor.ended, { kind: 'failed' })
  assert.equal(supervisor.report.failure?.code, 'handler_invalid')
  assert.match(
    supervisor.report.failure?.message ?? '',
    /not a function\. Export one\.\nLast lines of its log:\n {2}could not reach \*\*\*/,
  )
})

test('a secret in the words of a failed start is in no report, no error and no log', async (t) => {
  const { assignment, supervisor, starts, log } = await setUp(t)
  starts.push(
    new KaonError('start_failed', "'x' did not start: Error: no connection with top-secret-value", { hint: 'Is top-secret-value right?' }),
  )
  const error: unknown = await supervisor.start(assignment).catch((thrown) => thrown)
  assert.ok(error instanceof KaonError)
  assert.equal(error.message, "'x' did not start: Error: no connection with ***")
  assert.equal(error.hint, 'Is *** right?')
  assert.match(supervisor.report.failure?.message ?? '', /no connection with \*\*\* Is \*\*\* right\?/)
  assert.doesNotMatch(JSON.stringify(supervisor.report) + (await log()), /top-secret-value/)
})

test('a replica takes one assignment only', async (t) => {
  const { assignment, supervisor } = await setUp(t)
  await supervisor.start(assignment)
  await assert.rejects(supervisor.start({ ...assignment, function: 'other' }), { code: 'conflict' })
  assert.equal(supervisor.assignment?.function, 'hello')
})

test('a worker that dies is replaced at once; gateways are told which calls it had started; the others go on', async (t) => {
  const { assignment, supervisor, workers, log } = await setUp(t, { workers: 2 })
  await supervisor.start(assignment)
  const messages = link(t, supervisor.report.link as string)
  await until(() => messages.length === 2, 'the link is there')
  workers[0]!.counters[WorkerCounter.finished] = 7
  workers[0]!.die('crashed', 'Error: boom top-secret-value.')
  await until(
    () => workers.length === 3 && messages.some((m) => m.kind === 'workers' && m.workers.length === 2 && m.workers[0]?.generation === 2),
    'replaced',
  )
  const gone = messages.find((m) => m.kind === 'gone')
  assert.deepEqual(gone, { kind: 'gone', index: 0, generation: 1, cause: 'crashed', lastStarted: { 1: 10 } })
  assert.equal(supervisor.counts().finished, 7)
  await until(async () => (await log()).includes('ready again'), 'the log tells')
  assert.match(await log(), /Worker 0 was lost \(crashed\): Error: boom \*\*\*/)
  const metrics = await replicaMetrics(supervisor, 'abcdefghij', (ms) => system.clock.sleep(ms))
  assert.match(metrics, /kaon_worker_restarts_total\{[^}]*worker="0",cause="crashed"\} 1/)
  assert.match(metrics, /# TYPE jobs counter\njobs\{namespace="default",[^}]*worker="0",kind="a"\} 3\njobs\{[^}]*worker="1",kind="a"\} 3/)
  assert.doesNotMatch(metrics, /kaon_own/)
})

test('a worker whose loop is blocked past a deadline is ended and replaced', async (t) => {
  const { assignment, supervisor, workers } = await setUp(t)
  await supervisor.start(assignment)
  workers[0]!.overdue = 1_200
  await until(() => workers.length === 2, 'replaced')
  assert.equal((await workers[0]!.exited).cause, 'timeout')
})

test('a worker that cannot be ended makes the replica end', async (t) => {
  const { assignment, supervisor, workers, log } = await setUp(t)
  await supervisor.start(assignment)
  workers[0]!.isStuck = true
  workers[0]!.overdue = 1_200
  const end = await supervisor.ended
  assert.equal(end.kind, 'fatal')
  assert.match(await log(), /could not be ended within 1 s/)
  workers[0]!.die('stopped', '')
})

test('a worker full of abandoned calls is replaced when its successor is ready, and drained', async (t) => {
  const { assignment, supervisor, workers } = await setUp(t)
  await supervisor.start(assignment)
  workers[0]!.counters[WorkerCounter.abandoned] = 2
  await until(() => workers.length === 2 && workers[0]!.isDraining, 'replaced')
  assert.equal(supervisor.slots[0]?.link?.generation, 2)
})

test('draining lets workers finish, tells gateways, and ends what is left after the grace', async (t) => {
  const { assignment, supervisor, workers, folder } = await setUp(t)
  await supervisor.start(assignment)
  const messages = link(t, supervisor.report.link as string)
  await until(() => messages.length === 2, 'the link is there')
  const drained = supervisor.drain(300)
  await until(() => messages.some((m) => m.kind === 'workers' && m.draining), 'told')
  assert.ok(workers[0]!.isDraining)
  await drained
  assert.equal((await workers[0]!.exited).cause, 'stopped')
  assert.deepEqual(await supervisor.ended, { kind: 'clean' })
  assert.equal(system.files.existsSync(join(folder, 'l-abcdefghij.sock')), false)
})
