import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { root, runKaon, TestPlatform } from './harness/platform.ts'
import { hasProgram } from './harness/require.ts'
import { until } from './harness/wait.ts'

// Each gets one clear error and exit code or status, and nothing else changes.
const platform = new TestPlatform()
const work = mkdtempSync(join(tmpdir(), 'kaon-bad-'))
const noStack = (text: string) => assert.doesNotMatch(text, /\n\s+at .*\(|node:internal/, 'a stack trace reached the user')

before(async () => {
  await platform.start()
  await platform.must(['deploy', folder('steady', { 'handler.ts': 'export default (): string => "steady"\n' })])
})
after(() => platform[Symbol.asyncDispose]())

/** A folder with these files, named as the function that it is deployed as. */
function folder(name: string, files: Record<string, string>): string {
  const path = join(mkdtempSync(join(work, 'f-')), name)
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, file)), { recursive: true })
    writeFileSync(join(path, file), content)
  }
  return path
}

async function steadyServes(): Promise<void> {
  const answer = await platform.call('steady')
  assert.equal(answer.text, 'steady')
}

async function deployFails(files: Record<string, string>, args: string[], wanted: RegExp): Promise<void> {
  const ran = await platform.kaon(['deploy', folder('steady', files), ...args])
  assert.equal(ran.code, 1, ran.stdout + ran.stderr)
  assert.match(ran.stderr, wanted)
  noStack(ran.stderr)
  await steadyServes()
}

test('a missing handler file is named, with what is there, and the running revision goes on', () =>
  deployFails({ 'other.txt': '' }, ['--handler', 'nope.ts'], /nope\.ts[\s\S]*other\.txt|handler_missing/))

test('a handler that is no function is named with what it is', () =>
  deployFails({ 'handler.ts': 'export default 42\n' }, [], /number|handler_invalid/))

test('a syntax error is shown with file, line and column', () =>
  deployFails({ 'handler.ts': 'export default () => {\n  return 1 +\n}\n' }, [], /handler\.ts:3:\d+/))

test('an import that is not installed is named', () =>
  deployFails({ 'handler.ts': "import x from 'not-there-at-all'\nexport default () => x\n" }, [], /not-there-at-all/))

test("an error while the module loads is shown with the author's line", () =>
  deployFails({ 'handler.ts': '\nthrow new Error("no luck")\nexport default () => 1\n' }, [], /no luck/))

test('a failed npm ci shows what npm said', () =>
  deployFails(
    {
      'package.json': '{"name":"x","dependencies":{"ms":"^2.0.0"}}',
      'package-lock.json': '{"name":"x","lockfileVersion":3,"packages":{"":{"name":"x"}}}',
      'handler.ts': 'export default () => 1\n',
    },
    [],
    /npm ci|in sync|dependencies_failed/,
  ))

test('dependencies without a lock file are refused with the command to run', () =>
  deployFails(
    { 'package.json': '{"name":"x","dependencies":{"ms":"^2.0.0"}}', 'handler.ts': 'export default () => 1\n' },
    [],
    /npm install/,
  ))

test('a port in use is named, with what to try', async () => {
  const busy = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => busy.once('listening', resolve))
  const { port } = busy.address() as net.AddressInfo
  for (const option of ['--port', '--gateway-port']) {
    const args = ['start', '--data', join(work, `busy${option}`), '--port', '0', '--gateway-port', '0', option, String(port)]
    const ran = await runKaon(args)
    assert.equal(ran.code, 1, ran.stderr)
    assert.match(ran.stderr, new RegExp(`${port}`))
    assert.match(ran.stderr, new RegExp(option))
    noStack(ran.stderr)
  }
  busy.close()
})

test('a second platform on the same data folder is refused, and the first goes on', async () => {
  const ran = await runKaon(['start', '--data', platform.data, '--port', '0', '--gateway-port', '0'])
  assert.equal(ran.code, 1)
  assert.match(ran.stderr, /already|in use|another/i)
  noStack(ran.stderr)
  await steadyServes()
})

test('a data folder of a newer version is refused', async () => {
  const data = join(work, 'newer')
  mkdirSync(data)
  writeFileSync(join(data, 'version'), '99\n')
  const ran = await runKaon(['start', '--data', data, '--port', '0', '--gateway-port', '0'])
  assert.equal(ran.code, 1)
  assert.match(ran.stderr, /99/)
  assert.equal(readFileSync(join(data, 'version'), 'utf8'), '99\n')
})

/** Runs `kaon start` in a mount namespace of its own with a file system mounted at the data folder. */
function startOnMount(data: string, mountOptions: string) {
  const script = 'mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@"'
  const kaon = [process.execPath, join(root, 'packages/kaon/bin/kaon.js'), 'start', '--data', data, '--port', '0', '--gateway-port', '0']
  return new Promise<{ code: number | null; stderr: string }>((resolve) => {
    const child = spawn('unshare', ['-m', 'sh', '-c', script, 'sh', mountOptions, data, ...kaon], { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (chunk) => (stderr += chunk))
    const timer = setTimeout(() => child.kill('SIGTERM'), 15_000)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, stderr })
    })
  })
}

test('a data folder that is read-only or full is refused by name', async (t) => {
  if (!hasProgram(t, 'unshare', ['-m', 'true'])) return
  const readOnly = join(work, 'read-only')
  mkdirSync(readOnly)
  const first = await startOnMount(readOnly, 'ro')
  assert.equal(first.code, 1, first.stderr)
  assert.match(first.stderr, /read-only|cannot be written|not writable/i)
  noStack(first.stderr)
  const nowhere = await runKaon(['start', '--data', '/proc/nowhere', '--port', '0', '--gateway-port', '0'])
  assert.equal(nowhere.code, 1, nowhere.stderr)
  assert.match(nowhere.stderr, /cannot be written/)
  const full = join(work, 'full')
  mkdirSync(full)
  const second = await startOnMount(full, 'size=8k')
  assert.equal(second.code, 1, second.stderr)
  assert.match(second.stderr, /full|space/i)
  noStack(second.stderr)
})

test('broken YAML is shown with line and column', async () => {
  const file = join(work, 'broken.yaml')
  writeFileSync(file, 'apiVersion: kaon.dev/v1\nkind: Function\nmetadata: { name: x\nspec: {}\n')
  const ran = await platform.kaon(['apply', '-f', file])
  assert.equal(ran.code, 1, ran.stderr)
  assert.match(ran.stderr, /broken\.yaml:\d+:\d+/)
  noStack(ran.stderr)
})

test('an unknown runtime and an unknown field are named with their line, all at once', async () => {
  const file = join(work, 'wrong.yaml')
  writeFileSync(
    file,
    'apiVersion: kaon.dev/v1\nkind: Function\nmetadata: { name: wrong }\nspec:\n  runtime: cobol\n  timeuot: 3s\n  source: { inline: "x" }\n',
  )
  const ran = await platform.kaon(['apply', '-f', file])
  assert.equal(ran.code, 1, ran.stderr)
  assert.match(ran.stderr, /wrong\.yaml:5:\d+/)
  assert.match(ran.stderr, /cobol/)
  assert.match(ran.stderr, /did you mean ["']?timeout/)
  assert.equal((await platform.api('/apis/kaon.dev/v1/namespaces/default/functions/wrong')).status, 404)
})

test('an archive that escapes its folder is refused, and writes nothing outside', async () => {
  const name = `../../escaped-${process.pid}`
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write('0000644\x000000000\x000000000\x0000000000005\x0000000000000\0', 100, 'latin1')
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  const tar = Buffer.concat([header, Buffer.from('hello'.padEnd(512, '\0')), Buffer.alloc(1024)])
  const put = await platform.api('/apis/kaon.dev/v1/namespaces/default/functions/escape/source', {
    method: 'PUT',
    body: tar,
    headers: { 'content-type': 'application/x-tar' },
  })
  assert.equal(put.status, 201, put.text)
  const { digest } = put.json<{ digest: string }>()
  const manifest = { apiVersion: 'kaon.dev/v1', kind: 'Function', metadata: { name: 'escape' }, spec: { source: { upload: digest } } }
  const made = await platform.api('/apis/kaon.dev/v1/namespaces/default/functions', {
    body: JSON.stringify(manifest),
    headers: { 'content-type': 'application/json' },
  })
  assert.equal(made.status, 201, made.text)
  const message = await until('the build to fail', async () => {
    const { status } = (await platform.api('/apis/kaon.dev/v1/namespaces/default/functions/escape')).json<{
      status?: { conditions?: { type: string; status: string; message: string }[] }
    }>()
    return status?.conditions?.find((c) => c.type === 'Ready' && c.status === 'False' && c.message.includes('escaped'))?.message
  })
  assert.match(message, /escaped/)
  await steadyServes()
})

/** Writes to the gateway by hand and gives back what it answered before it closed or the time was up. */
function raw(write: (socket: net.Socket) => void, deadlineMs = 20_000): Promise<string> {
  const { port } = new URL(platform.file.gatewayUrl)
  return new Promise((resolve) => {
    const socket = net.connect(Number(port), '127.0.0.1')
    let text = ''
    const timer = setTimeout(() => socket.destroy(), deadlineMs)
    socket.on('data', (chunk) => (text += chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(text)
    })
    socket.on('connect', () => write(socket))
  })
}

test('a body of 1 GiB is refused before it is read, declared or not', async () => {
  const declared = await raw((socket) =>
    socket.write('POST / HTTP/1.1\r\nhost: steady.default.localhost\r\ncontent-length: 1073741824\r\nconnection: close\r\n\r\n'),
  )
  assert.match(declared, /^HTTP\/1\.1 413 /)
  assert.match(declared, /body_too_large/)
  const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(0x100000, 120), Buffer.from('\r\n')])
  let sentBytes = 0
  const chunked = await raw((socket) => {
    socket.write('POST / HTTP/1.1\r\nhost: steady.default.localhost\r\ntransfer-encoding: chunked\r\n\r\n')
    const more = () => {
      while (!socket.destroyed && sentBytes < 2 ** 30) {
        sentBytes += chunk.length
        if (!socket.write(chunk)) {
          socket.once('drain', more)
          return
        }
      }
    }
    more()
  })
  assert.match(chunked, /^HTTP\/1\.1 413 /)
  assert.ok(sentBytes < 2 ** 29, `${sentBytes} bytes were taken`)
  await steadyServes()
})

test('endless headers are refused', async () => {
  const answer = await raw((socket) => {
    socket.write('GET / HTTP/1.1\r\nhost: steady.default.localhost\r\n')
    let n = 0
    const more = () => {
      while (!socket.destroyed && n < 100_000) if (!socket.write(`x-${n++}: ${'y'.repeat(100)}\r\n`)) return void socket.once('drain', more)
    }
    more()
  })
  assert.match(answer, /^HTTP\/1\.1 431 /)
  await steadyServes()
})

test('a page of another origin or behind a rebound name cannot drive the API', async () => {
  const path = '/apis/kaon.dev/v1/namespaces/default/functions'
  assert.equal((await platform.api(path, { headers: { host: 'evil.example:8070' } })).status, 421)
  assert.equal((await platform.api(path, { headers: { origin: 'http://evil.example' } })).status, 403)
  assert.equal(
    (await platform.api(path, { method: 'POST', body: '{}', headers: { origin: 'null', 'content-type': 'text/plain' } })).status,
    403,
  )
  assert.equal((await platform.api(path)).status, 200)
})

test('beyond loopback the platform refuses to start without a token', async () => {
  const ran = await runKaon(['start', '--data', join(work, 'beyond'), '--host', '0.0.0.0', '--port', '0', '--gateway-port', '0'])
  assert.notEqual(ran.code, 0)
  assert.match(ran.stderr, /token/)
  noStack(ran.stderr)
})

test('the command line says what it does not know, and exits with 2, 3 or 8', async () => {
  const unknown = await runKaon(['deplyo'])
  assert.equal(unknown.code, 2)
  assert.match(unknown.stderr, /did you mean.*deploy/i)
  const option = await runKaon(['get', 'functions', '--no-such-option'])
  assert.equal(option.code, 2)
  assert.equal((await platform.kaon(['get', 'function', 'nobody'])).code, 3)
  assert.equal((await platform.kaon(['invoke', 'nobody'])).code, 3)
  const away = await runKaon(['get', 'functions', '--server', 'http://127.0.0.1:1'])
  assert.equal(away.code, 8)
  for (const ran of [unknown, option, away]) noStack(ran.stderr)
})
