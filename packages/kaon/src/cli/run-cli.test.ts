import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { runTestCli, temporaryFolder } from './test-cli.ts'

/** A server that answers as each test says, and what it was asked. */
async function serve(
  t: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    request.resume()
    request.on('end', () => answer(request, response))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

function status(code: number, reason: string, message: string) {
  return (_request: IncomingMessage, response: ServerResponse) => {
    response
      .writeHead(code, { 'content-type': 'application/json' })
      .end(JSON.stringify({ kind: 'Status', status: 'Failure', code, reason, message }))
  }
}

const logs = (url: string, ...more: string[]) => runTestCli(['logs', 'hello', '--server', url, ...more])

test('each refusal of the server has its exit code', async (t) => {
  const cases = [
    [404, 'NotFound', 3],
    [401, 'Unauthorized', 4],
    [403, 'Forbidden', 4],
    [409, 'Conflict', 5],
    [409, 'AlreadyExists', 5],
    [504, 'Timeout', 6],
    [504, 'HandlerTimeout', 7],
    [422, 'Invalid', 1],
    [500, 'InternalError', 1],
  ] as const
  for (const [code, reason, expected] of cases) {
    const { url } = await serve(t, status(code, reason, `because ${reason}`))
    const result = await logs(url)
    assert.equal(result.code, expected, reason)
    assert.match(result.error, new RegExp(`^error: because ${reason}`))
    assert.equal(result.out, '')
  }
})

test('no server is 8, and says how to start one', async (t) => {
  const { url } = await serve(t, () => {})
  const gone = await runTestCli(['get', 'functions', '--server', 'http://127.0.0.1:1'])
  assert.equal(gone.code, 8)
  assert.match(gone.error, /No server answers at 'http:\/\/127.0.0.1:1'.*\ntry: .*kaon start/)
  assert.ok(url)
})

test('a server that is none of ours is named as such', async (t) => {
  const { url } = await serve(t, (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>hello</h1>'))
  const result = await runTestCli(['get', 'functions', '--server', url])
  assert.equal(result.code, 1)
  assert.match(result.error, /is not a Kaon server/)
})

test('words that are wrong are 2, whatever they are, and ask no server', async () => {
  for (const words of [
    ['frobnicate'],
    ['deploy', '--nme', 'x'],
    ['logs'],
    ['get', 'functions', '-o', 'xml'],
    ['get', 'functions', '--server', 'ftp://x'],
    ['secret', 'crate'],
    ['deploy', 'x.ts', '--name', 'A_b'],
    ['deploy', 'x.ts', '--name', 'a'.repeat(64)],
    ['deploy', 'x.ts', '--timeout', '5x'],
    ['deploy', 'x.ts', '--timeout-wait', '5x'],
    ['dev', 'x.ts', '--memory', '1 GB'],
    ['run', 'x.ts', '--env', 'A-B=1'],
  ]) {
    const result = await runTestCli(words)
    assert.equal(result.code, 2, words.join(' '))
    assert.match(result.error, /^error: /)
  }
  assert.match((await runTestCli(['deploy', 'x.ts', '--name', 'A_b'])).error, /'--name' .*lower-case letters, digits .*'A_b'/)
  assert.match((await runTestCli(['depoly'])).error, /Did you mean 'kaon deploy'\?/)
  assert.match((await runTestCli(['secret', 'crate'])).error, /Did you mean 'kaon secret create'\?/)
})

test('under -o json an error is one line of problem+json on stderr', async (t) => {
  const { url } = await serve(t, status(404, 'NotFound', 'no such function'))
  for (const words of [
    ['logs', 'hello', '-o', 'json'],
    ['-o=json', 'logs', 'hello'],
    ['logs', 'hello', '--output=json'],
  ]) {
    const result = await runTestCli([...words, '--server', url])
    assert.equal(result.code, 3)
    const problem = JSON.parse(result.error)
    assert.equal(problem.code, 'not_found')
    assert.equal(problem.detail, 'no such function')
    assert.equal(problem.type, 'https://kaon.dev/errors/not_found')
  }
})

test('global options are taken before the command and from the environment', async (t) => {
  const { url, asked } = await serve(t, (_request, response) => response.end())
  await runTestCli(['-n', 'shop', '--server', url, 'logs', 'hello'])
  await runTestCli(['logs', 'hello'], { environment: { KAON_SERVER: url, KAON_NAMESPACE: 'trial' } })
  assert.match(asked[0] ?? '', /namespaces\/shop\/functions\/hello\/logs/)
  assert.match(asked[1] ?? '', /namespaces\/trial\/functions\/hello\/logs/)
})

test('the token goes to the server and into no output', async (t) => {
  const tokens: (string | undefined)[] = []
  const { url } = await serve(t, (request, response) => {
    tokens.push(request.headers.authorization)
    status(403, 'Forbidden', 'not you')(request, response)
  })
  const result = await logs(url, '--token', 'very-secret-token')
  assert.deepEqual(tokens, ['Bearer very-secret-token'])
  assert.ok(!`${result.out}${result.error}`.includes('very-secret'))
})

test('a context gives server, namespace and token, and its file is for its owner alone', async (t) => {
  const { statSync } = await import('node:fs')
  const { url, asked } = await serve(t, (_request, response) => response.end())
  const folder = await temporaryFolder(t)
  const environment = { XDG_CONFIG_HOME: folder }
  assert.equal(
    (await runTestCli(['context', 'set', 'here', '--server', url, '-n', 'shop', '--token', 'abcdefgh'], { environment })).code,
    0,
  )
  assert.equal(statSync(`${folder}/kaon/contexts.json`).mode & 0o777, 0o600)
  await runTestCli(['logs', 'hello'], { environment })
  assert.match(asked[0] ?? '', /namespaces\/shop\//)
  const list = await runTestCli(['context', 'list'], { environment })
  assert.match(list.out, /\*\s+here/)
  assert.ok(!list.out.includes('abcdefgh'))
  assert.match((await runTestCli(['context', 'export'], { environment })).out, /token: abcdefgh/)
  assert.equal((await runTestCli(['context', 'use', 'nowhere'], { environment })).code, 3)
  assert.equal((await runTestCli(['logs', 'hello', '--context', 'nowhere'], { environment })).code, 2)
})

test("a token of a context goes to that context's server only", async (t) => {
  const folder = await temporaryFolder(t)
  const environment = { XDG_CONFIG_HOME: folder }
  await runTestCli(['context', 'set', 'far', '--server', 'http://10.0.0.1:8070', '--token', 'abcdefgh'], { environment })
  const tokens: (string | undefined)[] = []
  const { url } = await serve(t, (request, response) => {
    tokens.push(request.headers.authorization)
    response.end()
  })
  await runTestCli(['logs', 'hello', '--server', url], { environment })
  assert.deepEqual(tokens, [undefined])
})

test('an interrupt ends a command that waits, with 130', async (t) => {
  let stop = () => {}
  const { url } = await serve(t, (_request, response) => {
    response.writeHead(200)
    response.write('{"ts":"2026-01-01T00:00:00.000Z","level":"info","msg":"one","revision":"r","replica":"x"}\n')
    stop()
  })
  const result = await runTestCli(['get', 'functions', '--server', url], { interrupt: (interrupt) => (stop = interrupt) })
  assert.equal(result.code, 130)
  assert.equal(result.error, '')
})

test('invoke tells the refusal of the API from the answer of the function', async (t) => {
  const { url: refusing } = await serve(t, status(404, 'NotFound', "There is no function 'hello'."))
  assert.equal((await runTestCli(['invoke', 'hello', '--server', refusing])).code, 3)
  const { url, asked } = await serve(t, (_request, response) =>
    response.writeHead(404, { 'kaon-function': 'default/hello' }).end('nothing here'),
  )
  const answered = await runTestCli(['invoke', 'hello', '--server', url, '-d', '{"a":1}', '--path', '/x y?q=ü%20'])
  assert.equal(answered.code, 7)
  assert.equal(answered.out, 'nothing here')
  assert.match(answered.error, /'hello' answered 404/)
  assert.deepEqual(asked, ['POST /apis/kaon.dev/v1/namespaces/default/functions/hello/invoke/x%20y?q=%C3%BC%20'])
})

test('invoke sends standard input, headers and the method that were given', async (t) => {
  const seen: unknown[] = []
  const { url } = await serve(t, (request, response) => {
    seen.push([request.method, request.headers['x-a'], request.headers['content-type'], request.headers['content-length']])
    response.writeHead(200, { 'kaon-function': 'default/hello' }).end('ok')
  })
  const result = await runTestCli(['invoke', 'hello', '--server', url, '-X', 'PUT', '-d', '-', '-H', 'X-A: b', '-v'], {
    input: 'plain text',
  })
  assert.equal(result.code, 0)
  assert.equal(result.out, 'ok')
  assert.match(result.error, /^200 OK .* ms/)
  assert.deepEqual(seen, [['PUT', 'b', 'application/octet-stream', '10']])
  assert.equal((await runTestCli(['invoke', 'hello', '-H', 'no colon'])).code, 2)
  assert.equal((await runTestCli(['invoke', 'hello', '-H', 'a: b\r\nc: d'])).code, 2)
  assert.equal((await runTestCli(['invoke', 'hello', '--async'])).code, 1)
})

/** An editor that waits until `gate` is there, and leaves a text that no server takes; it says each time that it ran. */
async function badEditor(t: TestContext): Promise<{ folder: string; editor: string; runs: string; gate: string }> {
  const folder = await temporaryFolder(t)
  const [runs, gate] = [`${folder}/runs`, `${folder}/gate`]
  writeFileSync(
    `${folder}/editor.sh`,
    `echo run >> ${runs}; while [ ! -e ${gate} ]; do sleep 0.02; done; echo '# no' > "$1"; echo "kind: [$$" >> "$1"\n`,
  )
  return { folder, editor: `sh ${folder}/editor.sh`, runs, gate }
}

/** What `edit` asks for before it opens the editor. */
function oneFunction(request: IncomingMessage, response: ServerResponse): void {
  const answers: Record<string, unknown> = {
    '/apis': { groups: [{ preferredVersion: { groupVersion: 'kaon.dev/v1' } }] },
    '/api/v1': { groupVersion: 'v1', resources: [] },
    '/apis/kaon.dev/v1': { groupVersion: 'kaon.dev/v1', resources: [{ name: 'functions', kind: 'Function', namespaced: true }] },
  }
  const hello = { apiVersion: 'kaon.dev/v1', kind: 'Function', metadata: { name: 'hello', resourceVersion: '1' }, spec: {} }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answers[request.url ?? ''] ?? hello))
}

test('without a terminal edit opens the editor once, and keeps what it could not write', async (t) => {
  const { url } = await serve(t, oneFunction)
  const { folder, editor, runs, gate } = await badEditor(t)
  writeFileSync(gate, '')
  const result = await runTestCli(['edit', 'functions', 'hello', '--server', url], {
    environment: { KAON_EDITOR: editor, TMPDIR: folder },
  })
  assert.equal(result.code, 1)
  assert.equal(readFileSync(runs, 'utf8'), 'run\n')
  const kept = /kept in '([^']+)'/.exec(result.error)?.[1] ?? ''
  assert.match(readFileSync(kept, 'utf8'), /^kind: \[\d+\n$/)
})

test('an interrupt ends edit after the editor, even one that always leaves something wrong', async (t) => {
  const { url } = await serve(t, oneFunction)
  const { folder, editor, runs, gate } = await badEditor(t)
  const environment = { KAON_EDITOR: editor, TMPDIR: folder }
  let interrupt = () => {}
  const running = runTestCli(['edit', 'functions', 'hello', '--server', url], {
    environment,
    isTerminal: true,
    interrupt: (action) => (interrupt = action),
  })
  for (const deadline = Date.now() + 5000; !existsSync(runs) && Date.now() < deadline; ) await new Promise((tick) => setTimeout(tick, 5))
  interrupt()
  assert.throws(interrupt, /exit 130/, 'the second time ends the process, whatever still runs')
  writeFileSync(gate, '')
  assert.equal((await running).code, 130)
  assert.equal(readFileSync(runs, 'utf8'), 'run\n')
})
