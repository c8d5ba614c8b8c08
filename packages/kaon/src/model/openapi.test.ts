import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { type Kind, kinds } from './kinds.ts'
import { openApiV2, openApiV3 } from './openapi.ts'

type Document = { paths: Record<string, Record<string, unknown>>; components: { schemas: Record<string, unknown> } }

function* references(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  if ('$ref' in value) yield String(value.$ref)
  for (const member of Object.values(value)) yield* references(member)
}

function* keywords(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) {
    if (key !== 'properties') yield key
    yield* key === 'properties' ? Object.values(member as object).flatMap((one) => [...keywords(one)]) : keywords(member)
  }
}

for (const group of ['', 'kaon.dev'] as const)
  test(`the OpenAPI v3 document of '${group}' is complete in itself and speaks OpenAPI 3.0 only`, () => {
    const document = openApiV3(group) as Document
    const names = Object.keys(document.components.schemas)
    for (const reference of references(document)) assert.ok(names.includes(reference.replace('#/components/schemas/', '')), reference)
    const used = new Set(keywords(document.components.schemas))
    for (const foreign of ['const', 'anyOf', 'patternProperties', 'notAvailable', 'revision', 'readOnly', '~kind'])
      assert.equal(used.has(foreign), false, foreign)
  })

test('every kind can be listed, made, read, replaced, patched and deleted, and its patch takes fieldValidation', () => {
  for (const kind of kinds as readonly Kind[]) {
    const { paths } = openApiV3(kind.group) as Document
    const root = kind.group === '' ? '/api/v1' : '/apis/kaon.dev/v1'
    const collection = `${root}${kind.namespaced ? '/namespaces/{namespace}' : ''}/${kind.plural}`
    assert.deepEqual(Object.keys(paths[collection]!).sort(), ['get', 'parameters', 'post'])
    const item = paths[`${collection}/{name}`] as Record<string, { parameters: { name: string }[] }>
    assert.deepEqual(Object.keys(item).sort(), ['delete', 'get', 'parameters', 'patch', 'put'])
    assert.ok(item.patch!.parameters.some(({ name }) => name === 'fieldValidation'))
    assert.equal(`${collection}/{name}/status` in paths, kind.statusSubresource)
  }
})

test('operation ids are unique', () => {
  const { paths } = openApiV2() as Document
  const ids = Object.values(paths).flatMap((item) =>
    Object.values(item).map((operation) => (operation as { operationId?: string }).operationId),
  )
  const given = ids.filter((id) => id !== undefined)
  assert.equal(new Set(given).size, given.length)
})

test('the OpenAPI v2 document refers to its own definitions', () => {
  const document = openApiV2() as { definitions: Record<string, unknown> }
  for (const reference of references(document)) assert.ok(reference.replace('#/definitions/', '') in document.definitions, reference)
  assert.doesNotMatch(JSON.stringify(document), /"(nullable|allOf|requestBody)"/)
})

const hasKubectl = (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'kubectl')))
const skip = hasKubectl || process.env.KAON_TEST_REQUIRE === 'all' ? false : 'needs kubectl'

/** Just enough of an API server for a client to find its kinds and their schemas. */
async function serveDocuments(t: TestContext): Promise<string> {
  const resources = (group: string) =>
    (kinds as readonly Kind[])
      .filter((kind) => kind.group === group)
      .map((kind) => ({
        name: kind.plural,
        singularName: kind.singular,
        shortNames: kind.shortNames,
        namespaced: kind.namespaced,
        kind: kind.kind,
        verbs: ['get', 'list'],
      }))
  const version = { groupVersion: 'kaon.dev/v1', version: 'v1' }
  const answers: Record<string, object> = {
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [{ name: 'kaon.dev', versions: [version], preferredVersion: version }] },
    '/api/v1': { kind: 'APIResourceList', groupVersion: 'v1', resources: resources('') },
    '/apis/kaon.dev/v1': { kind: 'APIResourceList', groupVersion: 'kaon.dev/v1', resources: resources('kaon.dev') },
    '/openapi/v3': {
      paths: {
        'api/v1': { serverRelativeURL: '/openapi/v3/api/v1' },
        'apis/kaon.dev/v1': { serverRelativeURL: '/openapi/v3/apis/kaon.dev/v1' },
      },
    },
    '/openapi/v3/api/v1': openApiV3(''),
    '/openapi/v3/apis/kaon.dev/v1': openApiV3('kaon.dev'),
  }
  const server = createServer((request, response) => {
    const answer = answers[new URL(request.url!, 'http://x').pathname]
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? {}))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('kubectl explains the fields of a Function and of a ConfigMap from the documents', {
  skip,
}, async (t) => {
  const server = await serveDocuments(t)
  const cache = mkdtempSync(join(tmpdir(), 'kaon-kubectl-'))
  t.after(() => rmSync(cache, { recursive: true }))
  const explain = async (field: string) => {
    const options = { env: { PATH: process.env.PATH, HOME: cache, KUBECONFIG: join(cache, 'none') } }
    return (await promisify(execFile)('kubectl', ['--server', server, '--cache-dir', cache, 'explain', field], options)).stdout
  }
  const timeout = await explain('functions.spec.timeout')
  assert.match(timeout, /GROUP:\s+kaon\.dev/)
  assert.match(timeout, /FIELD: timeout <string>/)
  assert.match(timeout, /Of one invocation; then 504\./)
  assert.match(await explain('fn.spec.env'), /FIELD: env <\[\]Object>[\s\S]*name\t<string> -required-/)
  assert.match(await explain('configmap.data'), /FIELD: data <map\[string\]string>/)
  assert.match(await explain('route.metadata'), /resourceVersion/)
})
