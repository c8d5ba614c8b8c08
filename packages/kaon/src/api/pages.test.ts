import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createSystem } from '../app/system.ts'
import { openSqliteStore } from '../stores/sqlite.ts'
import type { Store } from '../stores/store.ts'
import { createTestApi, functionsPath, sampleFunction } from './test-api.ts'

const folder = mkdtempSync(join(tmpdir(), 'kaon-pages-'))
let store: Store

before(async () => {
  store = await openSqliteStore({ file: join(folder, 'store.sqlite'), clock: createSystem().clock })
  const { send } = createTestApi(store)
  await send('POST', '/api/v1/namespaces', { metadata: { name: 'default' } })
  await send('POST', functionsPath, sampleFunction('hello'))
  const headers = { 'content-type': 'application/merge-patch+json' }
  await send('PATCH', `${functionsPath}/hello/status`, { status: { url: 'http://hello.default.localhost:8080/"><script>' } }, headers)
})

after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

test('the front page is text for curl and a page without scripts for a browser', async () => {
  const { api } = createTestApi(store)
  const text = await api.request('http://localhost/')
  assert.match(text.headers.get('content-type') ?? '', /^text\/plain/)
  assert.match(await text.text(), /default\/hello {2}http:\/\/hello\.default/)
  const page = await api.request('http://localhost/', { headers: { accept: 'text/html,*/*;q=0.8' } })
  const html = await page.text()
  assert.doesNotMatch(html, /<script/)
  for (const link of ['/openapi/v3', '/schemas', '/apis/kaon.dev/v1/functions', 'http://hello.default.localhost:8080/'])
    assert.ok(html.includes(`href="${link}`), link)
  const style = /<style>(.*?)<\/style>/s.exec(html)?.[1] ?? ''
  const policy = page.headers.get('content-security-policy') ?? ''
  assert.ok(policy.startsWith("default-src 'none'"))
  assert.ok(policy.includes(`'sha256-${createHash('sha256').update(style).digest('base64')}'`))
})

test('readiness says what is not well, and everything when asked', async () => {
  const checks = [
    { name: 'store', ok: true, message: 'writable' },
    { name: 'gateway', ok: false, message: 'not connected' },
  ]
  const { api, send } = createTestApi(store, { readiness: () => checks })
  const plain = await api.request('http://localhost/readyz')
  assert.equal(plain.status, 503)
  assert.equal(await plain.text(), 'gateway: not connected\n')
  const verbose = await send('GET', '/readyz?verbose')
  assert.equal(verbose.status, 503)
  assert.deepEqual(verbose.body, { version: '0.1.0', gatewayUrl: 'http://127.0.0.1:8080', checks })
  const healthy = await createTestApi(store).api.request('http://localhost/readyz')
  assert.equal(healthy.status, 200)
  assert.equal(await (await api.request('http://localhost/healthz')).text(), 'ok\n')
})

test('errors are problems outside the resource API, and Status objects inside', async () => {
  const { send } = createTestApi(store)
  const outside = await send('GET', '/nowhere')
  assert.equal(outside.headers.get('content-type'), 'application/problem+json')
  assert.equal(outside.body.code, 'not_found')
  const method = await send('POST', '/healthz')
  assert.equal(method.status, 405)
  assert.equal(method.headers.get('allow'), 'GET')
  assert.equal((await send('GET', '/apis/nowhere')).body.kind, 'Status')
  const refused = await send('GET', '/apis', undefined, { host: 'evil.example' })
  assert.equal(refused.status, 421)
  assert.equal(refused.body.reason, 'HostRefused')
})

test('what fails inside is told as an id, and the cause stays in the log', async () => {
  const metricsText = async () => {
    throw new Error('connect ECONNREFUSED /secret/path')
  }
  const { send, lines } = createTestApi(store, { metricsText })
  const { status, body } = await send('GET', '/metrics')
  assert.equal(status, 500)
  assert.equal(body.code, 'internal')
  assert.doesNotMatch(JSON.stringify(body), /secret|ECONNREFUSED|at /)
  assert.equal(lines.at(-1)?.fields?.id, body.instance)
})

test('no answer carries a CORS header', async () => {
  const { api } = createTestApi(store)
  for (const [method, path] of [
    ['GET', functionsPath],
    ['OPTIONS', functionsPath],
    ['GET', '/'],
    ['GET', '/nowhere'],
  ] as const) {
    const response = await api.request(`http://localhost:8070${path}`, {
      method,
      headers: { host: 'localhost:8070', origin: 'http://localhost:8070' },
    })
    assert.deepEqual(
      [...response.headers.keys()].filter((name) => name.startsWith('access-control')),
      [],
    )
  }
})

test('discovery names every kind with its verbs', async () => {
  const { send } = createTestApi(store)
  assert.deepEqual((await send('GET', '/api')).body.versions, ['v1'])
  assert.equal((await send('GET', '/apis')).body.groups[0].preferredVersion.groupVersion, 'kaon.dev/v1')
  const { resources } = (await send('GET', '/apis/kaon.dev/v1')).body
  const functions = resources.find((resource: { name: string }) => resource.name === 'functions')
  assert.deepEqual(functions.shortNames, ['fn'])
  assert.ok(functions.verbs.includes('deletecollection'))
  const revisions = resources.find((resource: { name: string }) => resource.name === 'revisions')
  assert.ok(!revisions.verbs.includes('create'))
  assert.ok(resources.some((resource: { name: string }) => resource.name === 'functions/status'))
  assert.match((await send('GET', '/version')).body.gitVersion, /^v1\.32\.0\+kaon-0\.1\.0$/)
})

test('schemas and OpenAPI documents are published, and found again by their hash', async () => {
  const { api, send } = createTestApi(store)
  const { paths } = (await send('GET', '/openapi/v3')).body
  for (const { serverRelativeURL } of Object.values<{ serverRelativeURL: string }>(paths)) {
    const { body, headers } = await send('GET', serverRelativeURL)
    assert.match(body.openapi, /^3\./)
    const again = await api.request(`http://localhost${serverRelativeURL}`, { headers: { 'if-none-match': headers.get('etag') ?? '' } })
    assert.equal(again.status, 304)
  }
  const { schemas } = (await send('GET', '/schemas')).body
  assert.ok(schemas.includes('/schemas/Function.json'))
  for (const path of schemas) assert.equal((await send('GET', path)).status, 200)
  assert.equal((await send('GET', '/schemas/Nothing.json')).status, 404)
  assert.equal((await send('GET', '/openapi/v2')).body.swagger, '2.0')
})

test('OpenAPI offers the patches that are taken, and no other', async () => {
  const { send } = createTestApi(store)
  const all = ['merge-patch+json', 'json-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml'].map((type) => `application/${type}`)
  const targets = [
    ['/openapi/v3/apis/kaon.dev/v1', '/apis/kaon.dev/v1/namespaces/{namespace}/functions/{name}', `${functionsPath}/hello`],
    ['/openapi/v3/api/v1', '/api/v1/namespaces/{name}', '/api/v1/namespaces/default'],
  ] as const
  for (const [document, template, path] of targets) {
    const offered = Object.keys((await send('GET', document)).body.paths[template].patch.requestBody.content)
    const taken: string[] = []
    for (const type of all) if ((await send('PATCH', path, '{}', { 'content-type': type })).status !== 415) taken.push(type)
    assert.deepEqual(offered.sort(), taken.sort())
  }
})
