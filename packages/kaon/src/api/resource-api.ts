import type { Log } from '../base/log.ts'
import type { System } from '../base/system.ts'
import type { Kind } from '../model/kinds.ts'
import { isJsonObject } from '../model/schema-node.ts'
import type { Store } from '../stores/store.ts'
import { type AuditedAction, audited } from './audit.ts'
import { readValue } from './body.ts'
import { methodNotAllowed } from './error-response.ts'
import { objectInvalid, objectNotFound, resourceName } from './object-errors.ts'
import { createObjectWriter, keyOf, type ObjectAddress, type ObjectWriter } from './object-writer.ts'
import { readPatch } from './patches/read-patch.ts'
import { objectResponse, type Representation, readRepresentation, valueResponse } from './representation.ts'
import type { ResourceTarget } from './resource-path.ts'
import { readSelection } from './selectors/selection.ts'
import { deletedList, deletedStatus, readDeleteOptions } from './verbs/delete.ts'
import { listObjects, selectAll } from './verbs/list.ts'
import { readDryRun, readFlag } from './verbs/query.ts'
import { type OpenWatches, watchObjects } from './verbs/watch.ts'

type Deps = { store: Store; log: Log } & Pick<System, 'clock' | 'random'>
type Call = Deps & {
  openWatches: OpenWatches
  writer: ObjectWriter
  target: ResourceTarget
  request: Request
  query: URLSearchParams
  as: Representation
}

/** The generic verbs, once for all kinds. Answers undefined for a subresource that it does not know. */
export function createResourceApi(deps: Deps): (target: ResourceTarget, request: Request) => Promise<Response | undefined> {
  const writer = createObjectWriter(deps)
  const openWatches: OpenWatches = { count: 0 }
  return async (target, request) => {
    const verbs = verbsOf(target)
    if (verbs === undefined) return undefined
    const { pathname, searchParams: query } = new URL(request.url)
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const verb = Object.hasOwn(verbs, method) ? verbs[method] : undefined
    if (verb === undefined) return methodNotAllowed(request.method, pathname, Object.keys(verbs))
    return verb({ ...deps, writer, openWatches, target, request, query, as: readRepresentation(request, query) })
  }
}

type Verb = (call: Call) => Promise<Response> | Response

function verbsOf({ kind, namespace, name, subresource, rest }: ResourceTarget): Record<string, Verb> | undefined {
  if (subresource !== undefined) {
    const isStatus = subresource === 'status' && rest === '' && kind.statusSubresource
    return isStatus ? { GET: get, PUT: update, PATCH: patch } : undefined
  }
  if (name !== undefined) return { GET: getOrWatch, PUT: update, PATCH: patch, DELETE: remove }
  if (kind.namespaced && namespace === undefined) return { GET: listOrWatch }
  return { GET: listOrWatch, POST: create, ...(kind.namespaced ? { DELETE: removeAll } : {}) }
}

function addressOf({ kind, namespace, name }: ResourceTarget): ObjectAddress {
  return { kind, namespace, name: name as string }
}

async function get({ store, clock, target, as }: Call): Promise<Response> {
  const address = addressOf(target)
  const object = await store.get(keyOf(address))
  if (object === undefined) throw objectNotFound(address.kind, address.name)
  return objectResponse(target.kind, object, { as, nowMs: clock.now() })
}

function getOrWatch(call: Call): Promise<Response> | Response {
  return readFlag(call.query, 'watch') ? watch(call) : get(call)
}

function listOrWatch(call: Call): Promise<Response> | Response {
  const { store, clock, target, query, as } = call
  if (readFlag(query, 'watch')) return watch(call)
  return listObjects({ store, nowMs: clock.now() }, { kind: target.kind, namespace: target.namespace, query, as })
}

function watch(call: Call): Response {
  const { target, query, as, request } = call
  return watchObjects(call, { kind: target.kind, namespace: target.namespace, name: target.name, query, as, signal: request.signal })
}

async function create({ log, clock, writer, target, request, query, as }: Call): Promise<Response> {
  const { kind, namespace } = target
  const input = await readValue(request)
  const dryRun = readDryRun(query)
  const action = { ...actionOn('create', target), name: nameIn(input), dryRun }
  const object = await audited(log, action, () => writer.create(kind, namespace, input, dryRun))
  return objectResponse(kind, object, { as, nowMs: clock.now(), status: 201 })
}

async function update(call: Call): Promise<Response> {
  const input = await readValue(call.request)
  return change(call, 'update', (kind, name) => {
    // As on a cluster: only the core kinds may be overwritten unseen.
    if (kind.group !== '' && isJsonObject(input) && !hasResourceVersion(input))
      throw objectInvalid(kind, name, [
        { field: 'metadata.resourceVersion', message: 'must be specified for an update', reason: 'required' },
      ])
    return input
  })
}

async function patch(call: Call): Promise<Response> {
  const apply = await readPatch(call.target.kind, call.request)
  return change(call, 'patch', (_kind, _name, current) => apply(current))
}

async function change(
  { log, clock, writer, target, query, as }: Call,
  verb: 'update' | 'patch',
  apply: (kind: Kind, name: string, current: unknown) => unknown,
): Promise<Response> {
  const { kind, subresource } = target
  const address = addressOf(target)
  const dryRun = readDryRun(query)
  const part = subresource === 'status' ? 'status' : 'object'
  const object = await audited(log, { ...actionOn(verb, target), dryRun }, () =>
    writer.change(address, { part, dryRun, apply: (current) => apply(kind, address.name, current) }),
  )
  return objectResponse(kind, object, { as, nowMs: clock.now() })
}

async function remove({ log, clock, writer, target, request, query, as }: Call): Promise<Response> {
  const options = await readDeleteOptions(request, query)
  const removal = await audited(log, { ...actionOn('delete', target), dryRun: options.dryRun }, () =>
    writer.remove(addressOf(target), options),
  )
  if (removal.kind === 'going') return objectResponse(target.kind, removal.object, { as, nowMs: clock.now() })
  return valueResponse(deletedStatus(target.kind, removal.object), as)
}

async function removeAll({ store, log, writer, target, request, query, as }: Call): Promise<Response> {
  const { kind, namespace } = target
  const options = await readDeleteOptions(request, query)
  const { items, resourceVersion } = await selectAll(store, { kind, namespace, selection: readSelection(query) })
  for (const { metadata } of items) {
    const address = { kind, namespace: metadata.namespace, name: metadata.name }
    const action = { ...actionOn('deletecollection', target), name: metadata.name, dryRun: options.dryRun }
    await audited(log, action, () => writer.remove(address, { ...options, uid: metadata.uid }))
  }
  return valueResponse(deletedList(kind, items, resourceVersion), as)
}

function actionOn(verb: string, { kind, namespace, name, subresource }: ResourceTarget): AuditedAction {
  const resource = subresource === undefined ? resourceName(kind) : `${resourceName(kind)}/${subresource}`
  return { verb, resource, namespace, name }
}

function nameIn(input: unknown): string | undefined {
  const metadata = isJsonObject(input) && isJsonObject(input.metadata) ? input.metadata : {}
  const name = metadata.name ?? metadata.generateName
  return typeof name === 'string' ? name.slice(0, 253) : undefined
}

function hasResourceVersion(input: { metadata?: unknown }): boolean {
  return isJsonObject(input.metadata) && typeof input.metadata.resourceVersion === 'string' && input.metadata.resourceVersion !== ''
}
